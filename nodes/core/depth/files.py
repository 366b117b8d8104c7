"""Where depth models lie on disk, and how one gets there."""

import json
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import FramedriftError

log = logging.getLogger("framedrift")

CONFIG = "config.json"
_PREPROCESSOR = ("preprocessor_config.json", "processor_config.json")
_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_PART = re.compile(r"[A-Za-z0-9](?:[\w.\- ]*[\w\-])?", re.ASCII)

#: Told how many bytes of how many are there; raises to stop the download.
OnBytes = Callable[[int, int], None]


def check_name(name: str) -> str | None:
    """What is wrong with a model's name, or None. It may be a folder's name or a hub id, and never a path out."""
    parts = name.split("/")
    if len(parts) <= 4 and all(_PART.fullmatch(part) and ".." not in part for part in parts):
        return None
    return (
        f"model is {name!r}, but must be the name of a folder with a depth model, as 'Depth-Anything-V2-Small-hf', "
        "or a hub id, as 'depth-anything/Depth-Anything-V2-Small-hf'."
    )


def is_hub_id(name: str) -> bool:
    """Whether a name has the form owner/model."""
    return name.count("/") == 1 and check_name(name) is None


def folder_for(name: str) -> str:
    """The folder that a hub id is kept in, `owner--model`."""
    return name.replace("/", "--")


def find_model(name: str, roots: Sequence[Path]) -> Path | None:
    """The folder of a model with whole, safe weights under one of `roots`, or else in the hub's cache on this machine.

    Of `owner/model` the folders owner/model, owner--model and model are looked at. Nothing is asked of the network.

    Raises:
        FramedriftError: the name is none, or a folder of that name holds a model that cannot be used.
    """
    problem = check_name(name)
    if problem:
        raise FramedriftError(problem)
    names = dict.fromkeys((name, folder_for(name), name.rpartition("/")[2]))
    unusable = None
    for root in roots:
        for folder in (root / candidate for candidate in names):
            if folder.is_dir():
                unusable_here = why_unusable(folder)
                if unusable_here is None:
                    return folder
                unusable = unusable or unusable_here
    cached = _in_hub_cache(name) if is_hub_id(name) else None
    if cached is not None:
        return cached
    if unusable:
        raise FramedriftError(unusable)
    return None


def why_unusable(folder: Path) -> str | None:
    """What a model folder lacks, or None where all is there."""
    if not (folder / CONFIG).is_file():
        return f"The folder {folder} has no {CONFIG}: put the model's files there, {CONFIG} and {_WEIGHTS} at least."
    try:
        weights = weight_files(folder)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        return f"{folder / _INDEX} is not understood ({error!r}): put the model's file there again."
    missing = [path.name for path in weights if not path.is_file()]
    if not missing:
        return None
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLED)
    if pickled and missing == [_WEIGHTS]:
        return (
            f"The folder {folder} has its weights only as {pickled[0]}, which can run code when it is opened. "
            f"Get the model with {_WEIGHTS} instead."
        )
    return f"The folder {folder} lacks {', '.join(missing)}: put the file there, or switch download on."


def weight_files(folder: Path) -> list[Path]:
    """The files that the model's weights consist of, whether they are there or not."""
    if (folder / _WEIGHTS).is_file() or not (folder / _INDEX).is_file():
        return [folder / _WEIGHTS]
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    names = sorted(set(index["weight_map"].values()))
    if not names or any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise ValueError("weight_map names files that are not beside it, or none")
    return [folder / name for name in names]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        FramedriftError: the file is no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FramedriftError(f"{path} cannot be read: {error}.") from error
    if not isinstance(value, dict):
        raise FramedriftError(f"{path} must hold a JSON object, but holds a {type(value).__name__}.")
    return value


def preprocessor_settings(folder: Path) -> dict[str, Any]:
    """What the model's preprocessor file holds; {} where there is none."""
    for name in _PREPROCESSOR:
        if (folder / name).is_file():
            return read_json(folder / name)
    return {}


def download_model(name: str, root: Path, on_bytes: OnBytes | None = None) -> Path:
    """Fetches a model's configuration and safetensors from the hub into `root/owner--model`, and returns that.

    Nothing else of the repository is fetched. What is there already is not fetched again, and a file appears under
    its name only when it is whole.

    Raises:
        FramedriftError: the name is no hub id, the hub cannot be reached or lacks the model; says what to put where.
    """
    if not is_hub_id(name):
        raise FramedriftError(f"model is {name!r}: a download needs a hub id, owner/model.")
    folder = root / folder_for(name)
    from huggingface_hub import HfApi

    try:
        listed = HfApi().model_info(name, files_metadata=True).siblings or []
        sizes = {entry.rfilename: entry.size or 0 for entry in listed}
        wanted = _wanted(sizes)
        if wanted is None:
            raise FramedriftError(
                f"The hub's {name} has no {_WEIGHTS}: its weights are in a format that can run code when opened, "
                "or it is no model of transformers. Take one whose name ends in -hf, if there is one."
            )
        log.info("fetching depth model %s (%d MB) into %s", name, sum(sizes[f] for f in wanted) >> 20, folder)
        _fetch(name, wanted, sizes, folder, on_bytes)
    except FramedriftError:
        raise
    except (OSError, RuntimeError, *_transport_errors()) as error:
        log.debug("download of %s failed", name, exc_info=error)
        raise FramedriftError(
            f"The depth model {name} could not be fetched from the hub ({type(error).__name__}: {_first_line(error)}). "
            f"Without a connection: put its files config.json, preprocessor_config.json and {_WEIGHTS} into {folder}."
        ) from error
    unusable = why_unusable(folder)
    if unusable:
        raise FramedriftError(unusable)
    return folder


def _wanted(sizes: dict[str, int]) -> list[str] | None:
    """The files to fetch of those listed, small ones first; None where there are no safe weights."""
    configs = [file for file in (CONFIG, *_PREPROCESSOR) if file in sizes]
    if _WEIGHTS in sizes:
        return [*configs, _WEIGHTS]
    shards = sorted(file for file in sizes if re.fullmatch(r"model-\d+-of-\d+\.safetensors", file))
    return [*configs, _INDEX, *shards] if _INDEX in sizes and shards else None


def _fetch(name: str, wanted: list[str], sizes: dict[str, int], folder: Path, on_bytes: OnBytes | None) -> None:
    import inspect

    from huggingface_hub import hf_hub_download
    from tqdm.auto import tqdm

    total = sum(sizes[file] for file in wanted)
    done = 0

    class Bar(tqdm):
        """Hands on what it is told instead of drawing it."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": True})
            self.seen = kwargs.get("initial") or 0

        def update(self, n: float | None = 1) -> None:
            self.seen += n or 0
            if on_bytes is not None:
                on_bytes(min(total, done + int(self.seen)), total)

    # Older hubs cannot be told where to report to: there, progress goes file by file.
    options: dict[str, Any] = {}
    if "tqdm_class" in inspect.signature(hf_hub_download).parameters:
        options["tqdm_class"] = Bar
    for file in wanted:
        if on_bytes is not None:
            on_bytes(done, total)
        hf_hub_download(name, file, local_dir=folder, **options)
        done += sizes[file]
    if on_bytes is not None:
        on_bytes(total, total)


def _transport_errors() -> tuple[type[Exception], ...]:
    """What the hub's transport raises. The library differs from version to version, and its hub's error tells which."""
    from huggingface_hub.errors import HfHubHTTPError

    return tuple(
        base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError" and issubclass(base, Exception)
    )


def _in_hub_cache(name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, CONFIG)
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    return folder if why_unusable(folder) is None else None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
