"""The part of ComfyUI's node API (``comfy_api.latest.io``) that this pack uses, for a machine without ComfyUI.

A schema written against either gives the same ``GET_NODE_INFO_V1()``: tests/nodes/test_contract.py holds the two side
by side wherever a ComfyUI is installed. What the pack does not use is not here.
"""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

import torch


class FolderType(StrEnum):
    """Where a file that a node names lies."""

    input = "input"
    output = "output"
    temp = "temp"


class UploadType(StrEnum):
    """What the upload button of a combo takes."""

    image = "image_upload"
    audio = "audio_upload"
    video = "video_upload"
    model = "file_upload"


class NumberDisplay(StrEnum):
    """How the page shows a number."""

    number = "number"
    slider = "slider"
    gradient_slider = "gradientslider"


class ControlAfterGenerate(StrEnum):
    """What becomes of a seed after a queue run."""

    fixed = "fixed"
    increment = "increment"
    decrement = "decrement"
    randomize = "randomize"


class Hidden(StrEnum):
    """What a node may ask to be told besides its inputs."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"
    extra_pnginfo = "EXTRA_PNGINFO"
    dynprompt = "DYNPROMPT"


@dataclass(frozen=True)
class HiddenHolder:
    """The hidden inputs of a running node; one that it did not ask for is None."""

    unique_id: str | None = None
    prompt: dict | None = None
    extra_pnginfo: dict | None = None
    dynprompt: Any = None


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


class _Socket:
    """What inputs and outputs share: they know the type that they were declared in (``Parent``)."""

    Parent: Any = None

    @property
    def io_type(self) -> str:
        return self.Parent.io_type

    def get_io_type(self) -> str:
        return self.io_type


class Input(_Socket):
    """An input that is only a socket."""

    def __init__(
        self,
        id: str,  # noqa: A002 - ComfyUI's own parameter name
        display_name: str | None = None,
        *,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        extra_dict: dict | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
    ):
        self.id = id
        self.display_name = display_name
        self.optional = optional
        self.tooltip = tooltip
        self.lazy = lazy
        self.extra_dict = extra_dict or {}
        self.rawLink = raw_link
        self.advanced = advanced

    def options(self) -> dict[str, Any]:
        """What a kind of input adds to the dictionary that the page is given."""
        return {}

    def as_dict(self) -> dict[str, Any]:
        own = _given(
            display_name=self.display_name,
            optional=self.optional,
            tooltip=self.tooltip,
            lazy=self.lazy,
            rawLink=self.rawLink,
            advanced=self.advanced,
        )
        return own | _given(**self.extra_dict) | self.options()


class WidgetInput(Input):
    """An input with a widget; ``widget`` names the options that its kind takes, as the page spells them."""

    widget: dict[str, str] = {}  # noqa: RUF012 - a constant of each subclass

    def __init__(
        self,
        id: str,  # noqa: A002
        display_name: str | None = None,
        *,
        optional: bool = False,
        tooltip: str | None = None,
        lazy: bool | None = None,
        default: Any = None,
        socketless: bool | None = None,
        widget_type: str | None = None,
        force_input: bool | None = None,
        extra_dict: dict | None = None,
        raw_link: bool | None = None,
        advanced: bool | None = None,
        **widget: Any,
    ):
        super().__init__(
            id,
            display_name,
            optional=optional,
            tooltip=tooltip,
            lazy=lazy,
            extra_dict=extra_dict,
            raw_link=raw_link,
            advanced=advanced,
        )
        unknown = sorted(set(widget) - set(self.widget))
        if unknown:
            raise TypeError(f"{self.Parent.__name__}.Input({id!r}) has no option {', '.join(unknown)}")
        self.default = default
        self.socketless = socketless
        self.widget_type = widget_type
        self.force_input = force_input
        for name in self.widget:
            setattr(self, name, widget.get(name))

    def get_io_type(self) -> str:
        return self.widget_type or super().get_io_type()

    def options(self) -> dict[str, Any]:
        own = _given(
            default=self.default,
            socketless=self.socketless,
            widgetType=self.widget_type,
            forceInput=self.force_input,
        )
        return own | _given(**{key: _plain(getattr(self, name)) for name, key in self.widget.items()})


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


class Output(_Socket):
    """An output."""

    def __init__(
        self,
        id: str | None = None,  # noqa: A002
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
    ):
        self.id = id
        self.display_name = display_name or id
        self.tooltip = tooltip
        self.is_output_list = is_output_list


class ComfyTypeIO:
    """A socket type: ``Type.Input(...)`` and ``Type.Output(...)`` declare inputs and outputs of it."""

    Type: Any = Any
    io_type: str = ""
    Input: Any = Input
    Output: Any = Output

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        # Each type has its own Input and Output, so that an instance can tell which type it is of.
        cls.Input = type("Input", (cls.Input,), {"Parent": cls})
        cls.Output = type("Output", (cls.Output,), {"Parent": cls})


def _socket(name: str, io_type: str, python_type: Any = Any, **parts: Any) -> Any:
    return type(name, (ComfyTypeIO,), {"io_type": io_type, "Type": python_type, **parts})


def Custom(io_type: str) -> Any:  # noqa: N802 - ComfyUI's name
    """A socket type of this name."""
    return _socket("CustomComfyType", io_type)


class _BooleanInput(WidgetInput):
    widget = {"label_on": "label_on", "label_off": "label_off"}  # noqa: RUF012


class _IntInput(WidgetInput):
    widget = {  # noqa: RUF012
        "min": "min",
        "max": "max",
        "step": "step",
        "control_after_generate": "control_after_generate",
        "display_mode": "display",
    }


class _FloatInput(WidgetInput):
    widget = {  # noqa: RUF012
        "min": "min",
        "max": "max",
        "step": "step",
        "round": "round",
        "display_mode": "display",
        "gradient_stops": "gradient_stops",
    }


class _StringInput(WidgetInput):
    widget = {  # noqa: RUF012
        "multiline": "multiline",
        "placeholder": "placeholder",
        "dynamic_prompts": "dynamicPrompts",
    }

    def __init__(self, *args: Any, multiline: bool = False, **kwargs: Any):
        super().__init__(*args, multiline=multiline, **kwargs)


class _ComboInput(WidgetInput):
    widget = {  # noqa: RUF012
        "control_after_generate": "control_after_generate",
        "image_folder": "image_folder",
    }

    def __init__(self, id: str, options: Any = None, *args: Any, **kwargs: Any):  # noqa: A002
        if isinstance(options, type) and issubclass(options, Enum):
            options = [member.value for member in options]
        self.upload = kwargs.pop("upload", None)
        kwargs["default"] = _plain(kwargs.get("default"))
        super().__init__(id, *args, **kwargs)
        self.choices = options

    def options(self) -> dict[str, Any]:
        upload = {self.upload.value: True} if self.upload else {}
        return super().options() | {"multiselect": False} | _given(options=self.choices) | upload


class _MultiTypeInput(Input):
    """An input of several types; given another input in place of its id, it has that one's widget."""

    def __init__(self, id: str | Input, types: list, *args: Any, **kwargs: Any):  # noqa: A002
        self.input_override: Input | None = None
        if isinstance(id, Input):
            override = self.input_override = copy.copy(id)
            kwargs["optional"] = override.optional or kwargs.get("optional", False)
            for name in ("tooltip", "display_name", "lazy"):
                kwargs[name] = kwargs.get(name) if getattr(override, name) is None else getattr(override, name)
            if isinstance(override, WidgetInput):
                override.widget_type = override.get_io_type()
            id = override.id  # noqa: A001
        super().__init__(id, *args, **kwargs)
        self._types = types

    def get_io_type(self) -> str:
        names = [kind.io_type for kind in self._types]
        if self.input_override is not None:
            names.insert(0, self.input_override.get_io_type())
        return ",".join(dict.fromkeys(names))

    def as_dict(self) -> dict[str, Any]:
        return (self.input_override.as_dict() if self.input_override else {}) | super().as_dict()


Boolean = _socket("Boolean", "BOOLEAN", bool, Input=_BooleanInput)
Int = _socket("Int", "INT", int, Input=_IntInput)
Float = _socket("Float", "FLOAT", float, Input=_FloatInput)
String = _socket("String", "STRING", str, Input=_StringInput)
Combo = _socket("Combo", "COMBO", str, Input=_ComboInput)
Image = _socket("Image", "IMAGE", torch.Tensor)
Mask = _socket("Mask", "MASK", torch.Tensor)
Latent = _socket("Latent", "LATENT", dict)
Conditioning = _socket("Conditioning", "CONDITIONING", list)
Model = _socket("Model", "MODEL")
Clip = _socket("Clip", "CLIP")
Vae = _socket("Vae", "VAE")
ControlNet = _socket("ControlNet", "CONTROL_NET")
Audio = _socket("Audio", "AUDIO", dict)
Video = _socket("Video", "VIDEO")
Curve = _socket("Curve", "CURVE")
Sigmas = _socket("Sigmas", "SIGMAS", torch.Tensor)
WanCameraEmbedding = _socket("WanCameraEmbedding", "WAN_CAMERA_EMBEDDING", torch.Tensor)
UpscaleModel = _socket("UpscaleModel", "UPSCALE_MODEL")
AnyType = _socket("AnyType", "*")
MultiType = _socket("MultiType", "COMFY_MULTITYPED_V3", Input=_MultiTypeInput)


@dataclass
class Schema:
    """What a node is: its names, inputs and outputs."""

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    description: str = ""
    search_aliases: list[str] = field(default_factory=list)
    is_input_list: bool = False
    is_output_node: bool = False
    is_deprecated: bool = False
    is_experimental: bool = False
    is_dev_only: bool = False
    not_idempotent: bool = False
    essentials_category: str | None = None
    has_intermediate_output: bool = False

    def finalize(self) -> None:
        """Adds the hidden inputs that every output node has, and ids for outputs that have none."""
        self.hidden = list(self.hidden or [])
        if self.is_output_node:
            self.hidden += [kind for kind in (Hidden.prompt, Hidden.extra_pnginfo) if kind not in self.hidden]
        for index, output in enumerate(self.outputs):
            if output.id is None:
                output.id = f"_{index}_{output.io_type}_"

    def validate(self) -> None:
        """Raises ValueError where two inputs or two outputs have one id."""
        for what, sockets in (("Input", self.inputs), ("Output", self.outputs)):
            twice = [name for name, count in Counter(socket.id for socket in sockets).items() if count > 1]
            if twice:
                raise ValueError(
                    f"{what} ids of {self.node_id} must be unique, but {', '.join(map(str, twice))} are not."
                )

    def get_v1_info(self, cls: type) -> dict[str, Any]:
        """The dictionary that ComfyUI's /object_info serves for this node."""
        inputs: dict[str, dict[str, tuple]] = {"required": {}}
        for entry in self.inputs:
            described = {key: value for key, value in entry.as_dict().items() if key != "optional"}
            group = inputs.setdefault("optional" if entry.optional else "required", {})
            group[entry.id] = (entry.get_io_type(), described)
        for kind in self.hidden:
            inputs.setdefault("hidden", {})[kind.name] = (kind.value,)
        return {
            "input": inputs,
            "input_order": {group: list(entries) for group, entries in inputs.items()},
            "is_input_list": self.is_input_list,
            "output": [output.io_type for output in self.outputs],
            "output_is_list": [output.is_output_list for output in self.outputs],
            "output_name": [output.display_name or output.io_type for output in self.outputs],
            "output_tooltips": [output.tooltip or None for output in self.outputs],
            "output_matchtypes": None,
            "name": self.node_id,
            "display_name": self.display_name,
            "description": self.description,
            "python_module": getattr(cls, "RELATIVE_PYTHON_MODULE", None) or "nodes",
            "category": self.category,
            "output_node": self.is_output_node,
            "deprecated": self.is_deprecated,
            "experimental": self.is_experimental,
            "dev_only": self.is_dev_only,
            "api_node": False,
            "price_badge": None,
            "search_aliases": self.search_aliases or None,
            "essentials_category": self.essentials_category,
            "has_intermediate_output": self.has_intermediate_output,
        }


class _Locked(type):
    """ComfyUI locks a node class while it runs: what writes to it here would fail there."""

    def __setattr__(cls, name: str, value: Any) -> None:
        if cls.__dict__.get("LOCKED"):
            raise AttributeError(f"Cannot modify class attribute '{name}' on locked class '{cls.__name__}'")
        super().__setattr__(name, value)


class ComfyNode(metaclass=_Locked):
    """Base of every node: ``define_schema`` says what it is, ``execute`` what it does."""

    hidden: HiddenHolder = HiddenHolder()

    @classmethod
    def define_schema(cls) -> Schema:
        raise NotImplementedError(f"No define_schema function was defined for node class {cls.__name__}.")

    @classmethod
    def execute(cls, **kwargs: Any) -> NodeOutput:
        raise NotImplementedError(f"No execute function was defined for node class {cls.__name__}.")

    @classmethod
    def GET_SCHEMA(cls) -> Schema:  # noqa: N802
        schema = cls.define_schema()
        schema.finalize()
        schema.validate()
        return schema

    @classmethod
    def GET_NODE_INFO_V1(cls) -> dict[str, Any]:  # noqa: N802
        return cls.GET_SCHEMA().get_v1_info(cls)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict]:  # noqa: N802
        return cls.GET_NODE_INFO_V1()["input"]

    @classmethod
    def locked(cls, hidden: HiddenHolder) -> type[ComfyNode]:
        """A copy of the class that carries these hidden inputs and cannot be written to, as ComfyUI runs a node."""
        return _Locked(cls.__name__, (cls,), {"hidden": hidden, "LOCKED": True, "__module__": cls.__module__})

    @classmethod
    def overrides(cls, name: str) -> bool:
        """Whether a subclass defines this method (``validate_inputs``, ``fingerprint_inputs``)."""
        return inspect.getattr_static(cls, name, None) is not None


class NodeOutput:
    """What ``execute`` returns: the outputs in order, and what the page shows."""

    def __init__(self, *args: Any, ui: Any = None, expand: dict | None = None, block_execution: str | None = None):
        self.args = args
        self.ui = ui
        self.expand = expand
        self.block_execution = block_execution

    @property
    def result(self) -> tuple | None:
        return self.args or None

    def __getitem__(self, index: int) -> Any:
        return self.args[index]


class ComfyExtension:
    """Base of what ``comfy_entrypoint`` returns."""

    async def on_load(self) -> None:
        """Called once, before the nodes are asked for."""

    async def get_node_list(self) -> list[type[ComfyNode]]:
        raise NotImplementedError
