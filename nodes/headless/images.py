"""ComfyUI's Load Image, for init images and masks on the command line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from ..core.errors import FramedriftError
from . import folders, io

_KINDS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


class LoadImage(io.ComfyNode):
    """Reads a picture of the input folder."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        root = folders.current().input
        found = sorted(path.name for path in root.iterdir() if path.suffix.lower() in _KINDS) if root.is_dir() else []
        return io.Schema(
            node_id="LoadImage",
            display_name="Load Image",
            category="image",
            description="Reads a picture of the input folder. Its transparency becomes the mask.",
            inputs=[
                io.Combo.Input(
                    "image", options=found, upload=io.UploadType.image, tooltip="A picture in the input folder."
                )
            ],
            outputs=[io.Image.Output("IMAGE"), io.Mask.Output("MASK")],
        )

    @classmethod
    def validate_inputs(cls, image: str | None) -> bool | str:
        if image is None:
            return True
        path = _path(image)
        return True if path.is_file() else f"image is {image!r}, but there is no file {path}."

    @classmethod
    def fingerprint_inputs(cls, image: str) -> str:
        return hashlib.sha256(_path(image).read_bytes()).hexdigest()

    @classmethod
    def execute(cls, image: str) -> io.NodeOutput:
        with Image.open(_path(image)) as opened:
            picture = ImageOps.exif_transpose(opened)
            pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255.0
            mask = torch.zeros(1, 64, 64)
            if picture.has_transparency_data:
                alpha = np.asarray(picture.convert("RGBA").getchannel("A"), dtype=np.float32) / 255.0
                mask = 1.0 - torch.from_numpy(alpha)[None]
        return io.NodeOutput(torch.from_numpy(pixels)[None], mask)


def _path(name: str) -> Path:
    """The file behind a name, which may end in " [input]", " [output]" or " [temp]" as ComfyUI writes them."""
    places = folders.current()
    root, bare = places.input, name
    for kind in ("input", "output", "temp"):
        if name.endswith(f" [{kind}]"):
            root, bare = getattr(places, kind), name.removesuffix(f" [{kind}]")
    path = root / bare
    if not path.resolve().is_relative_to(root.resolve()):
        raise FramedriftError(f"image is {name!r}, and must lie in the folder {root}.")
    return path
