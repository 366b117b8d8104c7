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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120
NEEDS = ("torch", "torchsde", "aiohttp", "yaml", "sqlalchemy", "comfyui_frontend_package")

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


@dataclass(frozen=True)
class ComfyUI:
    """An installed ComfyUI and the interpreter that runs it."""

    path: Path
    python: str

    @property
    def models(self) -> Path:
        return self.path / "models"

    def run(self, snippet: str, tmp_path: Path) -> Any:
        """Runs a snippet in ComfyUI's interpreter and returns what it left in `result`, through JSON."""
        answer = tmp_path / f"{uuid.uuid4().hex}.json"
        code = "\n".join(
            [
                f"PACK = {str(ROOT)!r}",
                PRELUDE,
                textwrap.dedent(snippet),
                f"open({str(answer)!r}, 'w').write(json.dumps(result))",
            ]
        )
        done = subprocess.run(
            [self.python, "-c", code], cwd=self.path, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
        return json.loads(answer.read_text())


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
    needs = f"import importlib.util as u; raise SystemExit(any(u.find_spec(name) is None for name in {NEEDS}))"
    for python in filter(None, pythons):
        if subprocess.run([python, "-c", needs], check=False).returncode == 0:
            return ComfyUI(path.resolve(), python)
    return f"no interpreter for {path}; set COMFYUI_PYTHON"


@pytest.fixture(scope="session")
def comfyui() -> ComfyUI:
    """The ComfyUI of this machine; the test is skipped where there is none."""
    found = _find_comfyui()
    if isinstance(found, str):
        pytest.skip(found)
    return found


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
