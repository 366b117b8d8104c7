"""What lies below /framedrift: every answer, every refusal; in a running ComfyUI too."""

import asyncio
import http.client
import json
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import jsonschema
import numpy as np
import pytest
import torch

from framedrift.nodes import host
from framedrift.nodes.core.run import RunStore
from framedrift.nodes.core.run.folder import Layout
from framedrift.nodes.headless.folders import Folders, using
from framedrift.nodes.routes import HEADERS, LARGEST_BODY, answer, same_place

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "web" / "run.schema.json").read_text())
JSON = {"Content-Type": "application/json", "Host": "127.0.0.1:8188"}
HEIGHT, WIDTH = 48, 64


def fits(value, name):
    """Fails where a value is not as the schema describes it; gives it back."""
    schema = {**SCHEMA, "$ref": f"#/$defs/{name}"}
    problems = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(value)]
    assert problems == []
    return value


def picture(index):
    """(1, 3, H, W): no two are alike, nor a picture and its mirror image."""
    ramp = torch.linspace(0, 0.6, WIDTH).expand(HEIGHT, WIDTH)
    return torch.stack([ramp, ramp.flip(1) * 0.5, torch.full_like(ramp, index / 20)])[None]


@pytest.fixture
def folders(tmp_path):
    made = Folders(output=tmp_path / "output", input=tmp_path, temp=tmp_path / "temp")
    with using(made):
        yield made


@pytest.fixture
def store(folders):
    return RunStore(folders.output / "framedrift")


SETTINGS = {"fps": 10.0, "num_frames": 9, "height": HEIGHT, "width": WIDTH, "node": "3", "prompt": {"secret": 1}}
SETTINGS |= {"settings": {"prompts": "0: a sky"}, "editable": {"prompts": "0: a sky", "strength_schedule": "0:(0.5)"}}
TEXT = {"prompt": '{"1": {}}', "workflow": '{"nodes": []}'}


def begun(store, name="flight", frames=(0, 2, 4)):
    """A run that is held, with some diffused frames."""
    run = store.create(name, SETTINGS, "mark")
    for index in frames:
        depth = torch.full((1, 1, HEIGHT, WIDTH), 0.5) if index != 2 else None
        run.commit(index, picture(index), depth, {"seed": index, "prompt": "a sky"}, {"x": torch.zeros(1)}, TEXT)
    return run


@pytest.fixture
def flight(store):
    """A run of three diffused frames that nobody makes any more; its name."""
    with begun(store) as run:
        return run.name


def get(path, headers=None, **query):
    return answer("GET", path, {name: str(value) for name, value in query.items()}, headers or {})


def post(path, body, headers=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer("POST", path, {}, JSON if headers is None else headers, data)


def said(given, status=200, name="error"):
    """What an answer says, after a look at its status and its form."""
    assert given.status == status, given.body
    assert given.content_type == "application/json"
    return fits(json.loads(given.body), name if status == 200 else "error")


# ---------------------------------------------------------------- looking


def test_the_schema_is_one_and_is_answered():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    given = get("schema")
    assert (given.status, given.content_type) == (200, "application/schema+json")
    assert json.loads(given.body.read_bytes()) == SCHEMA


def test_runs_are_listed_with_their_states(store, flight):
    with begun(store, "film/of two", (0,)):
        damaged = begun(store, "broken", (0,))
        damaged.close()
        (damaged.path / "run.json").write_text("{")
        runs = {run["name"]: run for run in said(get("runs"), name="runs")["runs"]}
    assert {name: (run["state"], run["frames"]) for name, run in runs.items()} == {
        "flight_00001": ("interrupted", 3), "film/of two_00001": ("running", 1), "broken_00001": ("damaged", 0)
    }  # fmt: skip
    assert runs["flight_00001"]["node"] == "3"
    assert "run.json" in runs["broken_00001"]["problem"]


def test_no_run_at_all_is_an_empty_list(folders):
    assert said(get("runs"), name="runs") == {"runs": []}


def test_a_run_is_shown_with_its_journal(flight):
    run = said(get(f"runs/{flight}"), name="run")
    assert (run["state"], run["frames"], run["last_frame"], run["num_frames"]) == ("interrupted", 3, 4, 9)
    assert (run["width"], run["height"], run["fps"]) == (WIDTH, HEIGHT, 10.0)
    assert [entry["index"] for entry in run["journal"]] == [0, 2, 4]
    assert run["editable"] == SETTINGS["editable"]
    assert "secret" not in json.dumps(run)
    assert "journal" not in said(get(f"runs/{flight}", journal=0), name="run")


@pytest.mark.parametrize("path", ["runs/film%2Fof%20two_00001", "runs/film/of%20two_00001", "runs/film%5Cof two_00001"])
def test_a_name_has_subfolders_and_spaces(store, path):
    begun(store, "film/of two").close()
    assert said(get(path), name="run")["name"] == "film/of two_00001"
    assert get(f"{path}/frames/2").status == 200


def test_a_frame_is_the_png_of_the_run(store, flight):
    given = get(f"runs/{flight}/frames/2")
    assert (given.status, given.content_type) == (200, "image/png")
    pixels = cv2.imread(str(given.body))[..., ::-1]
    expected = picture(2)[0].permute(1, 2, 0).numpy() * 255
    assert abs(pixels - expected).max() <= 0.5 + 1e-3
    depth = get(f"runs/{flight}/frames/4", depth=1)
    assert cv2.imread(str(depth.body), cv2.IMREAD_UNCHANGED).dtype == np.uint16


@pytest.mark.parametrize(("depth", "channels"), [(0, 3), (1, 3)])
def test_a_small_picture_for_the_page_keeps_its_shape(flight, depth, channels):
    given = get(f"runs/{flight}/frames/4", width=32, depth=depth)
    assert (given.status, given.content_type) == (200, "image/jpeg")
    small = cv2.imdecode(np.frombuffer(given.body, np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (HEIGHT // 2, 32, channels)
    wide = picture(4)[0].permute(1, 2, 0).numpy() * 255 if not depth else np.full((HEIGHT, WIDTH, 3), 127.5)
    assert abs(small[..., ::-1].mean((0, 1)) - wide.mean((0, 1))).max() < 3
    large = get(f"runs/{flight}/frames/4", width=4000)
    assert cv2.imdecode(np.frombuffer(large.body, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (HEIGHT, WIDTH)


@pytest.mark.parametrize("width", ["", "x", "-32", "15", "4097", "1e2", "٣٢", "9" * 5000])
def test_another_width_is_refused(flight, width):
    assert "from 16 to 4096" in said(get(f"runs/{flight}/frames/4", width=width), 400)["error"]


def test_a_frame_that_was_not_diffused_names_its_neighbours(store, flight):
    assert "2 and 4" in said(get(f"runs/{flight}/frames/3"), 404)["error"]
    assert "are 4" in said(get(f"runs/{flight}/frames/8"), 404)["error"]
    assert "no depth" in said(get(f"runs/{flight}/frames/2", depth=1), 404)["error"]
    begun(store, "empty", ()).close()
    assert "none yet" in said(get("runs/empty_00001/frames/0"), 404)["error"]


def test_a_damaged_picture_is_not_handed_out(store, flight):
    place = Layout(store.path_of(flight)).frame(2)
    place.write_bytes(place.read_bytes()[:-8])
    assert "cut short" in said(get(f"runs/{flight}/frames/2"), 409)["error"]
    assert get(f"runs/{flight}/frames/4").status == 200


def test_what_is_answered_stays_with_the_page_that_asked(flight):
    for given in (get("runs"), get(f"runs/{flight}/frames/2"), get("nothing")):
        assert given.headers == {"Content-Type": given.content_type, **HEADERS}
    assert not [name for name in HEADERS if name.startswith("Access-Control")]


# ---------------------------------------------------------------- changing


def test_a_video_of_the_frames_so_far_is_made(folders, flight):
    file = said(post(f"runs/{flight}/video", b""), name="file")
    assert file == {"filename": "flight_00001_00001_.mp4", "subfolder": "video", "type": "output"}
    with av.open(str(folders.output / file["subfolder"] / file["filename"])) as film:
        assert float(film.streams.video[0].average_rate) == 10
        assert len(list(film.decode(video=0))) == 5
        assert json.loads(film.metadata["workflow"]) == {"nodes": []}


def test_a_complete_run_is_shown_whole(store, folders):
    with begun(store) as run:
        run.finish()
    file = said(post("runs/flight_00001/video", {"format": "gif", "filename_prefix": "x/y"}), name="file")
    with av.open(str(folders.output / "x" / file["filename"])) as film:
        assert len(list(film.decode(video=0))) == 9


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"format": "mp5"}, "mp5"),
        ({"format": "png sequence"}, "PNG files already"),
        ({"format": 3}, "format must be a text"),
        ({"crf": 60}, "crf"),
        ({"crf": True}, "whole number"),
        ({"quality": 3}, "quality"),
        ({"filename_prefix": "../x"}, "filename_prefix"),
        ({"filename_prefix": "/x"}, "filename_prefix"),
        ({"filename_prefix": "a\0b"}, "filename_prefix"),
    ],
    ids=str,
)
def test_a_video_that_cannot_be_made_says_why(folders, flight, body, reason):
    before = sorted(folders.output.rglob("*"))
    assert reason in said(post(f"runs/{flight}/video", body), 400)["error"]
    left = [path for path in sorted(folders.output.rglob("*")) if path not in before and path.is_file()]
    assert left == []


def test_of_no_frames_there_is_no_video(store):
    begun(store, "empty", ()).close()
    assert "no frames" in said(post("runs/empty_00001/video", {}), 409)["error"]


def test_commands_reach_the_one_who_makes_the_run(store):
    with begun(store) as run:
        for action in ("pause", "resume", "stop", "cancel"):
            taken = said(post(f"runs/{run.name}/commands", fits({"action": action}, "command")), name="taken")
            assert (taken["action"], taken["state"]) == (action, "running")
        changes = {"strength_schedule": "0:(0.4)", "prompts": "0: a red sky"}
        taken = said(post(f"runs/{run.name}/commands", {"action": "edit", "changes": changes}), name="taken")
        said(post(f"runs/{run.name}/commands", {"action": "extend", "frames": 3}), name="taken")
        shown = said(get(f"runs/{run.name}"), name="run")
    actions = ["pause", "resume", "stop", "cancel", "edit", "extend"]
    assert [command["action"] for command in shown["pending"]] == actions
    assert shown["pending"][4]["id"] == taken["command"]
    assert shown["num_frames"] == 12


def test_a_run_that_nobody_makes_is_branched_at_once(flight):
    taken = said(post(f"runs/{flight}/commands", {"action": "rewind", "frame": 2}), name="taken")
    assert taken["branch"] == "flight_00002"
    branch = said(get("runs/flight_00002"), name="run")
    assert branch["branch"] == {"of": flight, "after": 2}
    assert [entry["index"] for entry in branch["journal"]] == [0, 2]


@pytest.mark.parametrize("action", ["pause", "resume", "stop", "cancel"])
def test_what_makes_no_sense_now_is_a_conflict(flight, action):
    assert "interrupted" in said(post(f"runs/{flight}/commands", {"action": action}), 409)["error"]


def test_a_damaged_run_takes_no_command_but_a_rewind(store, flight):
    journal = Layout(store.path_of(flight)).journal
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text(lines[0] + "{\n" + lines[2])
    assert "damaged" in said(post(f"runs/{flight}/commands", {"action": "extend", "frames": 1}), 409)["error"]
    assert said(get(f"runs/{flight}"), name="run")["state"] == "damaged"
    assert "line 2" in said(get(f"runs/{flight}/frames/0"), 409)["error"]
    assert said(post(f"runs/{flight}/commands", {"action": "rewind", "frame": 0}), name="taken")["branch"]


BAD_COMMANDS = [
    {}, {"action": "explode"}, {"action": 3}, {"action": ["pause"]}, {"action": None},
    {"action": "pause", "frame": 3}, {"action": "edit"}, {"action": "edit", "changes": "x"},
    {"action": "edit", "changes": {}}, {"action": "rewind"}, {"action": "rewind", "frame": "2"},
    {"action": "rewind", "frame": 2.5}, {"action": "rewind", "frame": -2}, {"action": "rewind", "frame": True},
    {"action": "extend", "frames": 0}, {"action": "extend", "frames": 10**9}, {"action": "extend", "store": 1},
    {"action": "edit", "changes": {"prompts": ["0: x"]}},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_COMMANDS, ids=json.dumps)
def test_bad_commands_are_refused_by_the_schema_and_by_the_route(store, body):
    schema = {**SCHEMA, "$ref": "#/$defs/command"}
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(body))
    with begun(store) as run:
        said(post(f"runs/{run.name}/commands", body), 400)
        assert said(get(f"runs/{run.name}"), name="run")["pending"] == []


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [("strength_schedule", "0:(0.4", "strength_schedule"), ("model", "x", "model"), ("prompts", "", "Prompts")],
)
def test_an_edit_that_cannot_be_read_is_refused_at_once(store, name, text, reason):
    with begun(store) as run:
        given = post(f"runs/{run.name}/commands", {"action": "edit", "changes": {name: text}})
        assert reason in said(given, 400)["error"]


# ---------------------------------------------------------------- refusing


BAD_BODIES = [b"[]", b"3", b"{", b"\xff", b"[" * 100_000, b'"x"', b"null", b'{"crf": NaN}', b'{"a": "\\ud800"}']


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: repr(body[:9]))
def test_a_body_that_is_no_object_is_refused(flight, body):
    assert "body" in said(post(f"runs/{flight}/commands", body), 400)["error"]


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_only_json_changes_anything(flight, kind):
    headers = {} if kind is None else {"content-type": kind}
    for route in ("commands", "video"):
        assert "application/json" in said(post(f"runs/{flight}/{route}", {}, headers), 415)["error"]


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Site", "Content-Type"])
def test_headers_that_are_no_text_are_refused_in_json(flight, header):
    given = post(f"runs/{flight}/commands", {"action": "pause"}, {header: "x/\udcff"})
    said(given, 415 if header == "Content-Type" else 403)


def test_a_charset_is_fine(flight):
    headers = {"CONTENT-TYPE": "Application/JSON; charset=utf-8"}
    assert post(f"runs/{flight}/commands", {"action": "extend", "frames": 1}, headers).status == 200


def test_a_body_that_is_too_long_is_refused(flight):
    full = json.dumps({"action": "edit", "changes": {"prompts": "0: x"}}).encode().ljust(LARGEST_BODY)
    assert post(f"runs/{flight}/commands", full).status == 200
    said(post(f"runs/{flight}/commands", full + b" "), 413)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:8189"},
        {"Origin": "http://localhost:8188"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:x"},
        {"Origin": "http://127.0.0.1:8188", "Host": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8188"},
        {"sec-fetch-site": "same-origin", "ORIGIN": "https://evil.example"},
    ],
    ids=str,
)
def test_other_sites_are_refused(flight, headers):
    given = {"content-type": "application/json", "Host": "127.0.0.1:8188", **headers}
    refused = post(f"runs/{flight}/commands", {"action": "extend", "frames": 1}, given)
    assert "another site" in said(refused, 403)["error"]
    for path in ("runs", f"runs/{flight}", f"runs/{flight}/frames/0", "schema"):
        said(get(path, given), 403)
    assert said(get(f"runs/{flight}"), name="run")["pending"] == []


@pytest.mark.parametrize(
    ("origin", "name", "same"),
    [
        ("http://127.0.0.1:8188", "127.0.0.1:8188", True),
        ("http://[::1]:8188", "[::1]:8188", True),
        ("https://comfy.example", "comfy.example", True),
        ("https://comfy.example", "comfy.example:443", True),
        ("http://comfy.example", "comfy.example:443", False),
        ("https://Comfy.Example", "comfy.example", True),
        ("https://comfy.example.evil", "comfy.example", False),
        ("https://comfy.example@evil", "comfy.example", False),
        ("comfy.example", "comfy.example", False),
    ],
)
def test_what_one_place_is(origin, name, same):
    assert same_place(origin, name) is same


def test_the_own_page_and_programs_are_answered(flight):
    own = {"Host": "127.0.0.1:8188", "Origin": "http://127.0.0.1:8188", "Sec-Fetch-Site": "same-origin"}
    for headers in ({}, own, {"Sec-Fetch-Site": "none"}):
        assert get(f"runs/{flight}", headers).status == 200


NOTHING = ["", "x", "run/x", "frames/0", "schema/x", "runs/x/frames/", "runs/x/frames/-1"]


@pytest.mark.parametrize("path", NOTHING)
def test_what_is_not_there_is_said(folders, path):
    assert get(path).status in (400, 404)
    said(get(path), get(path).status)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "runs"), ("POST", "runs/flight_00001"), ("GET", "runs/flight_00001/video"), ("POST", "schema"),
     ("GET", "runs/flight_00001/commands"), ("POST", "runs/flight_00001/frames/0"), ("DELETE", "runs/flight_00001")],
)  # fmt: skip
def test_each_route_takes_its_own_method(flight, method, path):
    said(answer(method, path, {}, JSON, b"{}"), 405)


TRICKS = [
    "..", "../secret", "%2e%2e/secret", "..%2fsecret", "%2E%2E%2Fsecret", "flight_00001/../../../secret", "/etc",
    "%2fetc", "//etc", "C:%5cx", "c:/x", "..%5csecret", "%00", "flight_00001%00", "%0a", "%ff", "flight_00001/frames",
    "flight_00001/run.json", "flight_00001/.lock", "flight_00001/commands/x", ".", "flight_00001/.",
    "%252e%252e%252fsecret", "link_00001", "nested/link_00001", "x" * 5000, "*", "~", "CON",
    "flight_00001/state/000000.safetensors", "%F0%9F%98%80", "flight_00001%2f..%2fflight_00001", "flight_00001%20",
]  # fmt: skip


@pytest.mark.parametrize("name", TRICKS, ids=lambda name: name[:40])
def test_no_name_leads_out_of_the_runs(store, flight, folders, name):
    # A whole run that lies outside, and a link to it.
    other = RunStore(folders.output.parent)
    begun(other, "secret").close()
    (folders.output.parent / "secret_00001").rename(folders.output.parent / "secret")
    (store.root / "nested").mkdir()
    for link in ("link_00001", "nested/link_00001"):
        (store.root / link).symlink_to(folders.output.parent / "secret", target_is_directory=True)
    before = sorted(folders.output.parent.rglob("*"))
    for path in (f"runs/{name}", f"runs/{name}/frames/0"):
        said(get(path), get(path).status)
        assert get(path).status in (400, 404)
    for path, body in ((f"runs/{name}/commands", {"action": "rewind", "frame": 0}), (f"runs/{name}/video", {})):
        given = post(path, body)
        said(given, given.status)
        assert given.status in (400, 404, 405)
    assert sorted(folders.output.parent.rglob("*")) == before


def test_a_picture_that_is_a_link_is_not_followed(store, flight):
    place = Layout(store.path_of(flight)).frame(2)
    place.rename(place.with_name("elsewhere.png"))
    place.symlink_to(place.with_name("elsewhere.png"))
    assert "link" in said(get(f"runs/{flight}/frames/2"), 404)["error"]


def test_an_error_of_the_pack_itself_is_logged_and_names_no_place(flight, monkeypatch, caplog):
    monkeypatch.setattr(RunStore, "statuses", lambda self: 1 // 0)
    assert "log" in said(get("runs"), 500)["error"]
    assert "ZeroDivisionError" in caplog.text


def test_without_a_server_there_is_nobody_to_tell():
    host.send_event("framedrift.run", {})
    host.add_routes("/framedrift", answer, LARGEST_BODY)


class Server:
    """As much of ComfyUI's server as registers routes."""

    def __init__(self):
        self.handlers = {}
        self.routes = SimpleNamespace(get=self.register, post=self.register)

    def register(self, path):
        return lambda handler: self.handlers.setdefault(path, handler)


def test_many_who_look_on_take_turns(monkeypatch):
    server, at_once, most = Server(), set(), []

    def busy(method, path, query, headers, body):
        at_once.add(path)
        most.append(len(at_once))
        time.sleep(0.02)
        at_once.remove(path)
        return answer("GET", path, query, headers, body)

    async def read(size):
        return b""

    async def ask_all(handle):
        requests = [
            SimpleNamespace(
                method="GET", query={}, headers={}, content=SimpleNamespace(read=read),
                rel_url=SimpleNamespace(raw_path=f"/api/framedrift/none/{number}"),
            )
            for number in range(12)
        ]  # fmt: skip
        return await asyncio.gather(*map(handle, requests))

    web = SimpleNamespace(Response=lambda **given: given)
    monkeypatch.setitem(sys.modules, "server", SimpleNamespace(web=web))
    monkeypatch.setattr(host, "_server", lambda: server)
    host.add_routes("/framedrift", busy, LARGEST_BODY)
    (handle,) = server.handlers.values()
    answers = asyncio.run(ask_all(handle))
    assert [given["status"] for given in answers] == [404] * 12
    assert b"none/11" in answers[11]["body"]
    assert max(most) == host.ROUTE_THREADS


# ---------------------------------------------------------------- in ComfyUI


def ask(server, method, path, body=None, headers=None):
    """Status, headers and body, with the path as it is written here."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=60)
    try:
        sent = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, body, sent | (headers or {}))
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


@pytest.fixture
def flown(rendering, flight_prompt):
    """A running ComfyUI with a run of four frames, and its name."""
    (name,) = {"flight_00001"} & {run["name"] for run in rendering.get("/framedrift/runs")["runs"]} or {None}
    if name is None:
        rendering.queue(flight_prompt)
        name = "flight_00001"
    return rendering, name


@pytest.mark.comfyui
@pytest.mark.parametrize("prefix", ["/framedrift", "/api/framedrift"])
def test_comfyui_answers_below_both_prefixes(flown, prefix):
    server, name = flown
    assert name in [run["name"] for run in fits(server.get(f"{prefix}/runs"), "runs")["runs"]]
    run = fits(server.get(f"{prefix}/runs/{name}"), "run")
    assert (run["state"], run["frames"], len(run["journal"])) == ("complete", 4, 4)
    status, headers, body = ask(server, "GET", f"{prefix}/runs/{name}/frames/3")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/png", "no-store")
    assert cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR).shape == (64, 96, 3)
    status, headers, body = ask(server, "GET", f"{prefix}/runs/{name}/frames/3?width=32")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert json.loads(ask(server, "GET", f"{prefix}/schema")[2]) == SCHEMA
    status, headers, body = ask(server, "HEAD", f"{prefix}/runs/{name}/frames/3")
    assert (status, body) == (200, b"")
    status, _, body = ask(server, "GET", f"{prefix}/runs/{name}/frames/9")
    assert (status, "3" in fits(json.loads(body), "error")["error"]) == (404, True)


@pytest.mark.comfyui
def test_comfyui_makes_a_video_on_request(flown):
    server, name = flown
    status, _, body = ask(server, "POST", f"/api/framedrift/runs/{name}/video", b"{}")
    assert status == 200, body
    file = fits(json.loads(body), "file")
    status, headers, film = ask(server, "GET", "/view?" + urllib.parse.urlencode(file))
    assert (status, headers["Content-Type"]) == (200, "video/mp4")
    place = server.base / "output" / file["subfolder"] / file["filename"]
    assert film == place.read_bytes()
    with av.open(str(place)) as opened:
        assert len(list(opened.decode(video=0))) == 4
        assert "FramedriftFrameFeedbackSampler" in opened.metadata["prompt"]


@pytest.mark.comfyui
@pytest.mark.parametrize("prefix", ["/framedrift", "/api/framedrift"])
def test_comfyui_refuses_other_sites_and_other_kinds(flown, prefix):
    server, name = flown
    path, body = f"{prefix}/runs/{name}/commands", b'{"action": "rewind", "frame": 1}'
    before = server.get("/framedrift/runs")
    for headers, refused in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ):
        assert ask(server, "POST", path, body, headers)[0] == refused, headers
    assert ask(server, "POST", path, body.ljust(LARGEST_BODY + 1))[0] == 413
    assert ask(server, "GET", f"{prefix}/runs/{name}/frames/0", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert server.get("/framedrift/runs") == before


@pytest.mark.comfyui
@pytest.mark.parametrize("name", TRICKS, ids=lambda name: name[:40])
def test_comfyui_lets_no_name_out(flown, name):
    server, _ = flown
    for path in (f"/framedrift/runs/{name}", f"/api/framedrift/runs/{name}/frames/0"):
        status, _, body = ask(server, "GET", urllib.parse.quote(path, safe="/%:*~"))
        assert status in (400, 404), (status, body)
        assert b"journal" not in body and not body.startswith(b"\x89PNG")


@pytest.mark.comfyui
def test_a_body_is_not_read_further_than_its_limit(flown):
    server, name = flown
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=60)
    connection.putrequest("POST", f"/framedrift/runs/{name}/commands")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    connection.send(b" " * (LARGEST_BODY + 1))
    assert connection.getresponse().status == 413
    connection.close()


def until(server, name, state, seconds=60):
    """A run's answer as soon as it is in this state."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = [run for run in server.get("/framedrift/runs")["runs"] if run["name"] == name]
        if found and found[0]["state"] == state:
            return server.get(f"/framedrift/runs/{name}")
        time.sleep(0.05)
    raise AssertionError(f"{name} did not become {state}: {found}")


def waits(server, times=15):
    """Seconds that the server takes for another question, the median of some."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        server.get("/system_stats")
        taken.append(time.perf_counter() - begin)
    return sorted(taken)[times // 2]


@pytest.mark.comfyui
def test_a_run_in_comfyui_is_paused_edited_filmed_and_goes_on_while_the_server_answers(rendering, flight_prompt):
    flight_prompt["3"]["inputs"] |= {"num_frames": 10, "steps_schedule": "0:(30)", "run_name": "steered", "seed": 4711}
    queued = rendering.submit(flight_prompt)
    name, place = "steered_00001", "/framedrift/runs/steered_00001"
    until(rendering, name, "running")
    assert rendering.post(f"{place}/commands", {"action": "pause"})[0] == 200
    paused = fits(until(rendering, name, "paused"), "run")
    assert 0 < paused["frames"] < 10
    assert waits(rendering) < 0.1
    with ThreadPoolExecutor() as other:
        film = other.submit(rendering.post, f"{place}/video", {"format": "gif"})
        assert waits(rendering) < 0.1
        status, file = film.result()
    assert status == 200 and fits(file, "file")["filename"].endswith(".gif")

    change = {"action": "edit", "changes": {"prompts": "0: a green sea", "steps_schedule": "0:(2)"}}
    status, taken = rendering.post(f"{place}/commands", change)
    assert status == 200 and fits(taken, "taken")["state"] == "paused"
    assert rendering.get(place)["frames"] == paused["frames"]
    assert rendering.post(f"{place}/commands", {"action": "resume"})[0] == 200
    assert rendering.wait(queued)["status"]["status_str"] == "success"
    run = fits(rendering.get(place), "run")
    assert (run["state"], run["frames"], run["pending"]) == ("complete", 10, [])
    prompts = [entry["prompt"] for entry in run["journal"]]
    assert set(prompts[: paused["frames"]]) == {"a red sky"}
    assert set(prompts[paused["frames"] :]) == {"a green sea"}
    assert run["editable"]["prompts"] == "0: a green sea"
    assert rendering.post(f"{place}/commands", {"action": "pause"})[0] == 409
