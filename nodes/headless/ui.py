"""What a node shows on the page (``comfy_api.latest.ui``), for a machine without a page: the files that it names."""

from __future__ import annotations

from .io import FolderType


class SavedResult(dict):
    """A written file, as the page is told of it."""

    def __init__(self, filename: str, subfolder: str, type: FolderType):  # noqa: A002 - ComfyUI's own parameter name
        super().__init__(filename=filename, subfolder=subfolder, type=type.value)

    @property
    def filename(self) -> str:
        return self["filename"]

    @property
    def subfolder(self) -> str:
        return self["subfolder"]

    @property
    def type(self) -> FolderType:
        return FolderType(self["type"])


class SavedImages:
    """Pictures that a node wrote."""

    def __init__(self, results: list[SavedResult], is_animated: bool = False):
        self.results = results
        self.is_animated = is_animated

    def as_dict(self) -> dict:
        return {"images": self.results} | ({"animated": (True,)} if self.is_animated else {})


class PreviewVideo:
    """A video that a node wrote, played in the node."""

    def __init__(self, values: list[SavedResult | dict], **_: object):
        self.values = values

    def as_dict(self) -> dict:
        return {"images": self.values, "animated": (True,)}


class PreviewText:
    """A text that a node shows."""

    def __init__(self, value: str, **_: object):
        self.value = value

    def as_dict(self) -> dict:
        return {"text": (self.value,)}
