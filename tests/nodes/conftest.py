"""ComfyUI for the tests of the nodes: found where it is installed, started once, asked over HTTP.

COMFYUI_PATH and COMFYUI_PYTHON say where it is; without them the usual places are looked at. Where there is none, the
tests that need it are skipped, and say so.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from framedrift.nodes.headless.runner import node_classes

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 240
NEEDS = ("torch", "torchsde", "aiohttp", "yaml", "sqlalchemy", "comfyui_frontend_package")
PACK_NEEDS = ("cv2", "numexpr", "transformers", "av", "filelock")

# What a snippet finds: ComfyUI on the CPU, and the pack loaded by its path as ComfyUI loads it.
PRELUDE = """
import asyncio, importlib.util, json, sys
sys.path.insert(0, ".")
from comfy.cli_args import args
args.cpu = True
import comfy.model_management, comfy.sample, comfy.samplers, comfy.sd, comfy.utils, comfy_api.latest, nodes
import torch
before = set(sys.modules)
spec = importlib.util.spec_from_file_location("pack", PACK + "/__init__.py", submodule_search_locations=[PACK])
pack = importlib.util.module_from_spec(spec)
sys.modules["pack"] = pack
spec.loader.exec_module(pack)
extension = asyncio.run(pack.comfy_entrypoint())
node_list = asyncio.run(extension.get_node_list())
imported = sorted(set(sys.modules) - before)
host = sys.modules["pack.nodes.host"]
"""


# Then it runs one snippet a line and leaves what each put into `result`.
SERVE = """
import os, traceback
for line in sys.stdin:
    code, answer = json.loads(line)
    names = {"__name__": "snippet", **{key: value for key, value in globals().items() if key[0] != "_"}}
    try:
        exec(code, names)
        said = {"result": names["result"]}
    except Exception:
        said = {"error": traceback.format_exc()}
    with open(answer + ".part", "w") as file:
        json.dump(said, file)
    os.replace(answer + ".part", answer)
"""


class ComfyUI:
    """An installed ComfyUI and the interpreter that runs it, started once, when it is first asked."""

    def __init__(self, path: Path, python: str):
        self.path = path
        self.python = python
        self.process: subprocess.Popen | None = None

    def missing(self, modules: tuple[str, ...]) -> list[str]:
        """Those of the modules that the interpreter does not have."""
        code = f"import importlib.util as u; print(*(name for name in {modules} if u.find_spec(name) is None))"
        return subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    @property
    def models(self) -> Path:
        return self.path / "models"

    def run(self, snippet: str, folder: Path) -> Any:
        """Runs a snippet in ComfyUI's interpreter and returns what it left in `result`, through JSON."""
        log = folder / "snippet.log"
        if self.process is None:
            code = f"PACK = {str(ROOT)!r}\n{PRELUDE}{SERVE}"
            with log.open("w") as out:
                self.process = subprocess.Popen(
                    [self.python, "-c", code], cwd=self.path, stdin=subprocess.PIPE, stdout=out, stderr=out, text=True
                )
        answer = folder / f"{uuid.uuid4().hex}.json"
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([textwrap.dedent(snippet), str(answer)]) + "\n")
        self.process.stdin.flush()
        end = time.monotonic() + START_SECONDS
        while not answer.exists():
            assert self.process.poll() is None, log.read_text() if log.exists() else "ComfyUI's interpreter has ended"
            assert time.monotonic() < end, "ComfyUI's interpreter gave no answer"
            time.sleep(0.05)
        said = json.loads(answer.read_text())
        assert "error" not in said, said["error"]
        return said["result"]

    def close(self) -> None:
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait(30)


@dataclass(frozen=True)
class Server:
    """A running ComfyUI with the pack among its custom nodes."""

    url: str
    base: Path
    log: Path

    def get(self, route: str) -> Any:
        with urllib.request.urlopen(self.url + route, timeout=60) as reply:
            return json.load(reply)

    def post(self, route: str, body: Any) -> tuple[int, Any]:
        """Status and answer; a refusal is an answer too."""
        request = urllib.request.Request(
            self.url + route, json.dumps(body).encode(), headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                text = reply.read()
                return reply.status, json.loads(text) if text else None
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def submit(self, prompt: dict[str, Any], extra_pnginfo: dict[str, Any] | None = None) -> str:
        """Queues a prompt and returns its id; fails with ComfyUI's words where it is refused."""
        body = {"prompt": prompt, "extra_data": {"extra_pnginfo": extra_pnginfo or {}}}
        status, answer = self.post("/prompt", body)
        assert status == 200 and not answer["node_errors"], json.dumps(answer, indent=1)
        return answer["prompt_id"]

    def wait(self, prompt_id: str, seconds: float = 240) -> dict[str, Any]:
        """The history of a prompt that has ended, well or not."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            history = self.get(f"/history/{prompt_id}")
            if history.get(prompt_id, {}).get("status", {}).get("status_str"):
                return history[prompt_id]
            time.sleep(0.1)
        raise AssertionError(f"The prompt did not end in {seconds} s:\n{self.log_text()[-4000:]}")

    def queue(self, prompt: dict[str, Any], extra_pnginfo: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs a prompt to its end and returns what its nodes showed; fails where it fails."""
        history = self.wait(self.submit(prompt, extra_pnginfo))
        failures = [data for kind, data in history["status"]["messages"] if kind == "execution_error"]
        assert history["status"]["status_str"] == "success", json.dumps(failures, indent=1)
        return history["outputs"]

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")


@pytest.fixture
def flight_prompt() -> dict[str, Any]:
    """A whole workflow in little: node 3 is the sampler, 4 writes film/flight_00001_.mp4."""
    sampler = {"model": ["1", 0], "vae": ["1", 2], "prompts": ["2", 0], "width": 96, "height": 64, "num_frames": 4}
    sampler |= {"diffusion_cadence": 1, "steps_schedule": "0:(2)", "run_name": "flight"}
    prompt = {
        "1": {"class_type": "FramedriftProceduralModel", "inputs": {}},
        "2": {"class_type": "FramedriftPromptSchedule", "inputs": {"clip": ["1", 1], "text": "0: a red sky"}},
        "3": {"class_type": "FramedriftFrameFeedbackSampler", "inputs": sampler},
        "4": {"class_type": "FramedriftVideoCombine", "inputs": {"frames": ["3", 0], "filename_prefix": "film/flight"}},
    }
    classes = node_classes()
    for node in prompt.values():
        for name, (_, options) in classes[node["class_type"]].INPUT_TYPES()["required"].items():
            if "default" in options or options.get("options"):
                node["inputs"].setdefault(name, options.get("default", (options.get("options") or [None])[0]))
    return prompt


@pytest.fixture
def write_clip() -> Callable[[Path], None]:
    """Writes 12 frames at 15 a second, 96x64, a grey that brightens, with a tone as long."""

    def write(path: Path) -> None:
        with av.open(str(path), "w") as file:
            pictures, sound = file.add_stream("libx264", rate=15), file.add_stream("aac", rate=44_100, layout="mono")
            pictures.width, pictures.height, pictures.pix_fmt = 96, 64, "yuv420p"
            for level in np.linspace(40, 220, 12).astype(np.uint8):
                file.mux(pictures.encode(av.VideoFrame.from_ndarray(np.full((64, 96, 3), level), format="rgb24")))
            tone = 0.5 * np.sin(np.arange(44_100 * 12 // 15) * 2 * np.pi * 440 / 44_100).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            frame.sample_rate = 44_100
            file.mux(sound.encode(frame))
            for stream in (pictures, sound):
                file.mux(stream.encode(None))

    return write


@pytest.fixture
def write_guides() -> Callable[[Path], None]:
    """Writes the guide images start.png, a warm one, and end.png, a cold one, 480x320 each, into a folder."""

    def write(folder: Path) -> None:
        rows, columns = np.mgrid[0:320, 0:480] / 320.0
        sun = np.exp(-(((columns - 0.5) ** 2 + (rows - 0.4) ** 2) / 0.05))
        moon = np.exp(-(((columns - 1.1) ** 2 + (rows - 0.25) ** 2) / 0.01))
        warm = [0.9 - 0.3 * rows, 0.5 + 0.4 * sun, 0.3 + 0.2 * sun - 0.1 * rows]
        cold = [0.1 + 0.7 * moon, 0.15 + 0.7 * moon + 0.1 * rows, 0.4 + 0.5 * moon - 0.1 * rows]
        for name, planes in (("start", warm), ("end", cold)):
            levels = np.stack(planes, -1).clip(0, 1) * 255
            Image.fromarray(levels.round().astype(np.uint8)).save(folder / f"{name}.png")

    return write


def _find_comfyui() -> ComfyUI | str:
    """The ComfyUI of this machine, or why there is none."""
    named = os.environ.get("COMFYUI_PATH")
    places = (
        [Path(named)] if named else [ROOT.parent.parent, Path.home() / "ComfyUI", Path.home() / "comfy" / "ComfyUI"]
    )
    path = next((place for place in places if (place / "comfy_api" / "latest").is_dir()), None)
    if path is None:
        return f"no ComfyUI in {', '.join(map(str, places))}; set COMFYUI_PATH"
    own = [path / folder / "bin" / "python" for folder in ("venv", ".venv")]
    pythons = [os.environ.get("COMFYUI_PYTHON"), *(str(python) for python in own if python.exists()), sys.executable]
    for python in filter(None, pythons):
        found = ComfyUI(path.resolve(), python)
        if not found.missing(NEEDS):
            return found
    return f"no interpreter for {path}; set COMFYUI_PYTHON"


@pytest.fixture(scope="session")
def comfyui() -> Iterator[ComfyUI]:
    """The ComfyUI of this machine; the test is skipped where there is none."""
    found = _find_comfyui()
    if isinstance(found, str):
        pytest.skip(found)
    yield found
    found.close()


@pytest.fixture(scope="session")
def server(comfyui: ComfyUI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ComfyUI that is started once and serves the whole test session, in a folder of its own."""
    base = tmp_path_factory.mktemp("comfyui")
    for folder in ("custom_nodes", "input", "output", "temp", "user", "models"):
        (base / folder).mkdir()
    (base / "custom_nodes" / "framedrift").symlink_to(ROOT)
    kinds = sorted(place.name for place in comfyui.models.iterdir() if place.is_dir())
    models = base / "models.yaml"
    models.write_text(json.dumps({"shared": {"base_path": str(comfyui.models), **{kind: kind for kind in kinds}}}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = base / "server.log"
    command = [comfyui.python, "main.py", "--cpu", "--port", str(port), "--base-directory", str(base)]
    command += ["--disable-api-nodes", "--disable-auto-launch", "--database-url", "sqlite:///:memory:"]
    command += ["--extra-model-paths-config", str(models)]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=comfyui.path, stdout=out, stderr=subprocess.STDOUT)
    running = Server(f"http://127.0.0.1:{port}", base, log)
    try:
        _wait_for(running, process)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def rendering(server: Server, comfyui: ComfyUI) -> Server:
    """The same, where the pack's requirements are installed for it, so that it makes pictures."""
    missing = comfyui.missing(PACK_NEEDS)
    if missing:
        pytest.skip(f"{comfyui.python} has no {', '.join(missing)}: install requirements.txt there")
    return server


def _wait_for(server: Server, process: subprocess.Popen) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            server.get("/system_stats")
        except (OSError, ValueError):
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"ComfyUI did not start:\n{server.log_text()[-6000:]}")
