"""The studio's server: routes, static files, security, and the socket."""

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
import ipaddress
import json
import os
import secrets
import shutil
import socket
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from jaxquard.errors import DataError, JaxquardError, RunError, UsageError
from jaxquard.installed import how_to_add
from jaxquard.studio import Studio, compare, draw, events, inside, learn, lessons, mistakes, models, runs, trainer
from jaxquard.studio.runs import Reader
from jaxquard.studio.security import Guard, refused, without_paths
from jaxquard.studio.trainer import Trainer
from jaxquard.studio.watch import Watch

MODULES = (learn, inside, mistakes, draw, compare, lessons, events, models, runs, trainer)

STATIC, WEB = Path(__file__).parent / "static", Path(__file__).parents[1] / "web"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
VEGA = "export { vegaEmbed };"
UNKNOWN = {404: "there is nothing at this address", 405: "this address does not accept this method"}


def static_files(root: Path = STATIC) -> dict[str, bytes]:
    """The content of every file under `root` by its name. The server sends no other files."""
    paths = [path for path in sorted(root.rglob("*")) if path.is_file() and path.suffix in TYPES]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def _of_other_pages() -> dict[str, bytes]:
    """The files that the studio shares with exported pages."""
    return {f"web/{name}": content for name, content in static_files(WEB).items()}


def static(request: Request) -> Response:
    """A static file; without a name, the page itself."""
    name = request.path_params.get("name", "index.html")
    content: bytes | None = vega() if name == "vega.js" else request.app.state.files.get(name)
    if content is None:
        raise HTTPException(404)
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": etag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=TYPES[Path(name).suffix])


def vega() -> bytes:
    """The charting library, bundled from a Python package: this takes a second or two, once."""
    with _BUNDLING:
        return _vega()


_BUNDLING = threading.Lock()


@functools.cache
def _vega() -> bytes:
    try:
        import vl_convert
    except ImportError:
        raise HTTPException(404, f"charts need the extra that draws them: {how_to_add('charts')}") from None
    return vl_convert.javascript_bundle(VEGA).encode()


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    """An error of a handler or the router, as JSON."""
    assert isinstance(error, HTTPException)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    said = error.detail if error.detail != HTTPStatus(error.status_code).phrase else UNKNOWN[error.status_code]
    return refused(error.status_code, said, **headers)


async def on_our_error(request: Request, error: Exception) -> JSONResponse:
    """An error of the package, without folders, and the setting that it names, if any."""
    status = {UsageError: 422, DataError: 422, RunError: 409}.get(type(error), 503)
    studio: Studio = request.app.state.studio
    said = without_paths(str(error), studio.runs, studio.data_dir).replace("\n", " ")
    named = said.partition(":")[0]
    return JSONResponse({"error": said} | ({"setting": named} if named in learn.FIELDS else {}), status)


def create_app(studio: Studio) -> Starlette:
    """The studio as an application. Handlers share `app.state`; its `limiter` allows one thread for JAX."""
    own = [Route("/", static), Route("/static/{name:path}", static)]
    app = Starlette(
        routes=own + [route for module in MODULES for route in module.routes],
        middleware=[Middleware(Guard, studio.hosts, studio.token)],
        exception_handlers={HTTPException: on_http_error, JaxquardError: on_our_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    state = app.state
    state.studio, state.files, state.listening = studio, static_files() | _of_other_pages(), 0
    state.limiter, state.watch = anyio.CapacityLimiter(1), Watch(studio.runs)
    state.reader, state.trainer = Reader(state.watch), Trainer(studio, state.watch)
    state.shelf = models.Shelf(state.watch, data_dir=studio.data_dir, offline=studio.offline)
    return app


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Run the queue until the server ends. Trainings continue."""
    task = asyncio.create_task(app.state.trainer.run())
    try:
        yield
    finally:
        task.cancel()


def guarded(studio: Studio, names: set[str], port: int, *, own: bool) -> Studio:
    """The studio with the Hosts that it accepts, and a token unless only this machine can reach it (`own`)."""
    names |= {"localhost"} if own else set()
    ends = [f":{port}", ""] if port == 80 else [f":{port}"]  # browsers leave out HTTP's default port
    hosts = frozenset(f"{bracketed(name)}{end}" for name in names for end in ends)
    return dataclasses.replace(studio, hosts=hosts, token=None if own else secrets.token_urlsafe(32))


def bracketed(host: str) -> str:
    """A host as browsers write it in an address."""
    return f"[{host}]" if ":" in host else host.lower()


def serve(studio: Studio, host: str, port: int, *, open_page: bool, as_json: bool, quiet: bool) -> None:
    """Serve at `host` and `port` (0: any free port) until a signal; print the address, and the token if any."""
    listening, address = listen(host, port)
    port = listening.getsockname()[1]
    studio = guarded(studio, {host, address}, port, own=is_own(address))
    url = f"http://{bracketed(host)}:{port}/"
    app = create_app(studio)
    if as_json:
        print(json.dumps({"url": url, "token": studio.token}), flush=True)
    elif not quiet:
        print(f"The studio is at {url} — Ctrl-C ends it; trainings continue.", file=sys.stderr, flush=True)
    if studio.token and not as_json:
        print(f"The page asks for this token: {studio.token}", file=sys.stderr, flush=True)
    threading.Thread(target=vega, daemon=True).start()  # the page needs it soon
    if open_page:
        threading.Thread(target=show, args=(url,), daemon=True).start()
    config = uvicorn.Config(app, log_level="info" if os.environ.get("JAXQUARD_DEBUG") else "critical", **SERVER)
    uvicorn.Server(config).run(sockets=[listening])


def show(url: str) -> None:
    """Open the page in a browser with a window; one for terminals would take over this terminal."""
    with contextlib.suppress(webbrowser.Error):
        browser = webbrowser.get()
        program = [getattr(browser, "name", ""), *getattr(browser, "args", [])]
        if has_windows([word for part in program for word in str(part).split()], os.environ):
            browser.open(url)


def has_windows(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether a command probably opens a window, by its programs and the display. Without a display, a program in
    BROWSER may still do so, such as that of a remote editor."""
    paths = [os.path.realpath(shutil.which(word) or word) for word in command]
    if {os.path.basename(path) for path in (*command, *paths)} & TERMINAL_BROWSERS:
        return False
    if sys.platform in ("darwin", "win32") or environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        return True
    return bool(environment.get("BROWSER")) and not {os.path.basename(word) for word in command} & CHOOSERS


TERMINAL_BROWSERS = {"browsh", "elinks", "links", "links2", "lynx", "netrik", "w3m", "www-browser"}
CHOOSERS = {"gio", "sensible-browser", "x-www-browser", "xdg-open"}  # without a display they choose a terminal browser

SERVER = {
    "http": "h11",
    "ws": "none",
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "limit_concurrency": 100,
    "timeout_graceful_shutdown": 1,
}


def is_own(address: str) -> bool:
    """Whether only this machine can reach an address."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def listen(host: str, port: int) -> tuple[socket.socket, str]:
    """A listening socket and its address. All addresses (0.0.0.0) are refused: the Host must be known exactly."""
    if not 0 <= port < 65536:
        raise UsageError(f"--port {port}: ports are 0 to 65535")
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if ipaddress.ip_address(str(where[0]).partition("%")[0]).is_unspecified:
            raise UsageError(f"--host {host}: give one address of this machine, not all of them")
        listening = socket.create_server(where[:2], family=family, backlog=100)
        # asyncio does so for its own sockets. Otherwise an answer's body waits until its head is acknowledged.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening, str(where[0])
    except OSError as error:
        raise JaxquardError(f"cannot listen at {host}, port {port}: {error.strerror}; try another --port") from error
    except UnicodeError as error:
        raise UsageError(f"--host {host[:80]}: not an address") from error
