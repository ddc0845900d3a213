"""A local web server whose mirrors simulate those of the internet, including their faults."""

import gzip
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BAD = (
    *("truncated", "short", "empty", "stalled", "broken", "html", "changing", "partial"),
    *("wrong", "huge", "round", "elsewhere"),
)
PAGE = b"<!DOCTYPE html><title>Please log in</title>"


def ignore(*_: object) -> None:
    """A report or progress that nobody reads."""


class Server(ThreadingHTTPServer):
    """Serves `files` by name under /MANNER/NAME, and records the requested paths."""

    request_queue_size = 128

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.asked, self.over = files, [], threading.Event()

    @property
    def address(self) -> str:
        """The address of the server, without a path."""
        return f"http://127.0.0.1:{self.server_port}"

    def mirror(self, manner: str) -> str:
        """The address of a mirror with this manner: "good", or one in _Handler.do_GET."""
        return f"{self.address}/{manner}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect early or are killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    """A server of these files, which stops at the end of the context."""
    server = Server(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        _, manner, name = self.path.split("/")
        body = self.server.files[name]
        match manner:
            case "moved":
                self.answer(status=302, Location=f"/good/{name}")
            case "elsewhere":
                self.answer(status=302, Location=f"file:///{name}")
            case "round":
                self.answer(status=302, Location=self.path)
            case "broken":
                self.answer(b"no", status=503)
            case "html":
                self.answer(PAGE)
            case "empty":
                self.answer()
            case "wrong":
                self.answer(gzip.compress(gzip.decompress(body)[:-1] + b"\0"))
            case "truncated":
                self.answer(body[:-1], length=len(body))
            case "short":
                self.answer(body[:-9])
            case "unmeasured":
                self.answer(body, length=-1)
            case "huge":
                self.answer(body, length=1 << 40)
            case "partial":  # without a request for a range
                half = len(body) // 2
                self.answer(body[half:], status=206, Content_Range=f"bytes {half}-{len(body) - 1}/{len(body)}")
            case "changing":  # to another content, halfway through a file
                half = len(body) // 2
                self.answer((body[:half] + PAGE * (half // len(PAGE) + 2))[: len(body)])
            case "half" if "images" in name:  # some files are missing
                self.answer(b"gone", status=404)
            case "stalled":
                self.answer(body[:20], length=len(body))
                self.wfile.flush()
                self.server.over.wait(10)
            case _:
                self.answer(body)

    def answer(self, body: bytes = b"", *, status: int = 200, length: int | None = None, **headers: str) -> None:
        """`Content_Length` and its like become headers with a hyphen. A requested range is ignored."""
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header.replace("_", "-"), value)
        if length != -1:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
