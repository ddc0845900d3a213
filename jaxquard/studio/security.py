"""Checks every request before the studio handles it: its origin, its token and its size.

Any page in the same browser can send requests to 127.0.0.1, and with DNS rebinding read the answers. So the Host must
be exactly the studio's, on every route and method. Only the studio's own page may request anything but the page itself
(or a program: curl sends no Origin). At an address that other machines can reach, this also needs a token.
"""

import hmac
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jaxquard import strict_json, systems

MAX_BODY = 1_000_000  # bytes
MAX_PICTURE = 64_000_000  # bytes of a body that is a picture, as its Content-Type says
MAX_DEPTH = 8  # of objects and lists in JSON
TOKEN = "x-jaxquard-token"
SAFE = ("GET", "HEAD")
ELSEWHERE = ("cross-site", "same-site")  # from here even a GET of the API is refused: some of them take seconds
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
RAW_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def refused(status: int, sentence: str, **headers: str) -> JSONResponse:
    """The answer of every route to an error."""
    return JSONResponse({"error": sentence}, status, headers)


class Guard:
    """The outermost layer: refuses requests, limits bodies, adds security headers, and hides unexpected errors."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], token: str | None) -> None:
        self.app, self.hosts, self.token = app, hosts, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)  # start and end of the server; there are no websockets
            return
        started = False

        async def hardened(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in RAW_HEADERS if pair[0] not in given)]
            await send(message)

        refusal = self.refusal(scope)
        if refusal:
            await refused(*refusal)(scope, receive, hardened)
            return
        try:
            await self.app(scope, limited(receive, largest(Headers(scope=scope))), hardened)
        except ClientDisconnect:
            return
        except Exception as error:
            if os.environ.get("JAXQUARD_DEBUG"):
                raise
            print(f"jaxquard: {type(error).__name__} in {scope['path'][:80]!r}", file=sys.stderr, flush=True)
            if not started:
                await refused(500, "a fault of the studio: its terminal says more")(scope, receive, hardened)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and sentence if the request is refused."""
        headers = Headers(scope=scope)
        hosts, sites = headers.getlist("host"), headers.getlist("sec-fetch-site")
        if len(hosts) != 1 or hosts[0] not in self.hosts:
            return 403, "this is not one of the studio's own addresses"
        public = scope["path"] == "/" or scope["path"].startswith("/static/")  # this page asks for the token
        safe = scope["method"] in SAFE
        foreign = any(site in ELSEWHERE if safe else site != "same-origin" for site in sites)
        foreign |= any(origin != f"http://{hosts[0]}" for origin in headers.getlist("origin"))
        if foreign and not (public and safe):
            return 403, "only the studio's own page may request this"
        if self.token and not public and not self._knows(headers.getlist(TOKEN)):
            return 401, "send the token that the studio's terminal shows"
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            return 400, "the request's Content-Length is not a number"
        largest_body = largest(headers)
        return (413, too_large(largest_body)) if len(length) > 15 or int(length) > largest_body else None

    def _knows(self, given: list[str]) -> bool:
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), str(self.token).encode())


def largest(headers: Headers) -> int:
    """The largest body of a request, in bytes."""
    return MAX_PICTURE if is_picture(headers) else MAX_BODY


def is_picture(headers: Headers) -> bool:
    """Whether the body is a picture and not JSON."""
    return headers.get("content-type", "").startswith("image/")


def too_large(most: int) -> str:
    """The error for a body of more bytes."""
    hint = "" if most == MAX_PICTURE else "; a picture can be sent as it is, with Content-Type: image/…"
    return f"the request is larger than {most // 1_000_000} MB{hint}"


def limited(receive: Receive, most: int) -> Receive:
    """`receive` with HTTPException (413) for a body of more bytes."""
    read = 0

    async def receive_some() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise HTTPException(413, too_large(most))
        return message

    return receive_some


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object in a request's body. HTTPException (415 or 400) for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send JSON, with Content-Type: application/json")
    body = await request.body()
    try:
        document = strict_json.loads(body)
        if b"\\ud" in body.lower():  # half of a surrogate pair could not be sent back
            json.dumps(document, ensure_ascii=False).encode()
    except ValueError:
        raise HTTPException(400, "the body is not valid JSON") from None
    if not isinstance(document, dict):
        raise HTTPException(400, "send a JSON object")
    if is_deep(document):
        raise HTTPException(400, f"more than {MAX_DEPTH} levels of objects and lists")
    return document


def is_deep(value: Any) -> bool:
    """Whether JSON has more levels than MAX_DEPTH."""
    level = [part for part in [value] if isinstance(part, (dict, list))]
    for _ in range(MAX_DEPTH):
        inside = (part.values() if isinstance(part, dict) else part for part in level)
        level = [part for parts in inside for part in parts if isinstance(part, (dict, list))]
    return bool(level)


def without_paths(text: str, *roots: Path | None) -> str:
    """An error message without the folders of the files that it names. Folders with a space in their name are found
    only below `roots` and the user's home."""
    drive, separator = (r"(?:[A-Za-z]:|\\)?", r"/\\") if systems.WINDOWS else ("", "/")
    known = [f"{re.escape(str(root))}[{separator}]" for root in (*roots, os.path.expanduser("~")) if root]
    folder = rf"[^\s{separator}]+[{separator}]"
    return re.sub(rf"(?<![\w.:{separator}])(?:{'|'.join(known)}|{drive}[{separator}]{folder})(?:{folder})*", "", text)
