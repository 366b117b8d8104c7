"""What is answered below /framedrift: runs with their journal, pictures and videos, and commands to them.

Knows no server: `answer` takes a request's parts and gives an `Answer`, so that it can be asked without one, too.
docs/runs.md tells of it, web/run.schema.json describes what goes in and comes out.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .core.errors import FramedriftError

log = logging.getLogger("framedrift")

PREFIX = "/framedrift"
#: Of a request's body, in bytes.
LARGEST_BODY = 1024 * 1024
SCHEMA = Path(__file__).resolve().parents[1] / "web" / "run.schema.json"
#: A run changes, and what is in it is nobody else's: neither kept by the browser, nor shown in another site's page.
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
DEFAULT_PORTS = {"http": 80, "https": 443}


class RefusedError(Exception):
    """A request that is not carried out: the status, and why in a sentence."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What goes back.

    Attributes:
        status: of HTTP.
        content_type: of the body.
        body: the bytes themselves, or the file that holds them.
    """

    status: int
    content_type: str
    body: bytes | Path
    headers: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", {"Content-Type": self.content_type, **HEADERS})


@dataclass(frozen=True)
class Request:
    """What is asked for: the names of the headers are in lower case, `name` is the run's."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    name: str = ""
    index: int = 0

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; an empty one is an object without entries."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type is {kind or 'missing'}, and must be application/json."
            )
        if len(self.body) > LARGEST_BODY:
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is over {LARGEST_BODY} bytes.")
        if not self.body.strip():
            return {}
        try:
            said = json.loads(self.body)
            # What Python reads and nothing else does, NaN and halves of a character, would lie in the run for good.
            json.dumps(said, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError) as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"The body is no JSON: {error}.") from error
        if not isinstance(said, dict):
            raise RefusedError(HTTPStatus.BAD_REQUEST, 'The body must be a JSON object, such as {"action": "pause"}.')
        return said


def answer(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes = b"") -> Answer:
    """Answers one request; reads the disk, and may take as long as a video takes to make.

    Args:
        method: GET, HEAD or POST.
        path: what follows `PREFIX` and its slash, percent signs and all: a name's own slashes may be %2F or plain.
        query: by name.
        headers: by name, in any case.
        body: at most a byte more than `LARGEST_BODY` has to be given.

    Returns:
        Always an answer; what went wrong is JSON as well, {"error": a sentence}.
    """
    given = {name.lower(): value for name, value in headers.items()}
    try:
        check_origin(given)
        made, request = route(method, path, query, given, body)
        return made(request)
    except RefusedError as refusal:
        return as_json({"error": str(refusal)}, refusal.status)
    except FramedriftError as error:
        return as_json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
    except Exception:
        log.exception("%s %s/%s could not be answered", method, PREFIX, path)
        return as_json(
            {"error": "This could not be answered; ComfyUI's log says why."}, HTTPStatus.INTERNAL_SERVER_ERROR
        )


def as_json(value: Any, status: int = HTTPStatus.OK) -> Answer:
    """An answer in JSON, in ASCII: headers and paths that are repeated in it may be no text."""
    return Answer(int(status), "application/json", json.dumps(value).encode())


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuses what another site's page sent: browsers say where a request comes from, and scripts cannot change it.

    A program that is no browser sends neither header, and is answered.
    """
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise RefusedError(HTTPStatus.FORBIDDEN, "This was asked for by another site, which is refused.")
    origin = headers.get("origin")
    if origin is not None and not same_place(origin, headers.get("host", "")):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, f"This was asked for by {origin[:200]}, another site, which is refused."
        )


def same_place(origin: str, host_name: str) -> bool:
    """Whether a page of this origin ("https://name:port" or "null") came from the server that is asked by this name."""
    try:
        page, asked = urlsplit(origin), urlsplit(f"//{host_name}")
        usual = DEFAULT_PORTS.get(page.scheme)
        return bool(page.hostname) and (page.hostname, page.port or usual) == (asked.hostname, asked.port or usual)
    except ValueError:  # a port that is no number
        return False


# ---------------------------------------------------------------- which way


def route(
    method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> tuple[Callable[[Request], Answer], Request]:
    """What makes the answer, and what it is given. Raises RefusedError where nothing is, or another method is due."""
    from . import run_routes as made

    parts = [unquote(part, errors="strict") for part in readable(path).split("/")]
    found, name, index = None, "", 0
    if parts == ["schema"]:
        found = {"GET": lambda request: Answer(HTTPStatus.OK, "application/schema+json", SCHEMA)}
    elif parts == ["runs"]:
        found = {"GET": made.list_runs}
    elif parts[0] == "runs" and len(parts) > 3 and parts[-2] == "frames" and re.fullmatch(r"[0-9]{1,9}", parts[-1]):
        found, name, index = {"GET": made.frame}, "/".join(parts[1:-2]), int(parts[-1])
    elif parts[0] == "runs" and len(parts) > 2 and parts[-1] in ("video", "commands"):
        found, name = {"POST": made.video if parts[-1] == "video" else made.command}, "/".join(parts[1:-1])
    elif parts[0] == "runs":
        found, name = {"GET": made.show_run}, "/".join(parts[1:])
    if found is None:
        known = "runs, runs/NAME, runs/NAME/frames/INDEX, runs/NAME/video, runs/NAME/commands and schema"
        raise RefusedError(HTTPStatus.NOT_FOUND, f"There is no {PREFIX}/{path[:200]}; there are {known}.")
    asked = "GET" if method == "HEAD" else method
    if asked not in found:
        raise RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, f"This takes {', '.join(found)}, not {method}.")
    return found[asked], Request(asked, query, headers, body, name, index)


def readable(path: str) -> str:
    """The path, if it decodes to text that a file can be called by."""
    try:
        text = unquote(path, errors="strict")
    except UnicodeDecodeError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "The path is no UTF-8.") from error
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise RefusedError(HTTPStatus.BAD_REQUEST, "The path holds a control character, which no run's name does.")
    return path.strip("/")
