"""One file over HTTPS into memory: short time-outs, a bounded size, and nothing but HTTPS even after a redirect."""

import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from http.client import HTTPException

from jaxquard.errors import DataError

Progress = Callable[[int, int | None], None]

CONNECT_SECONDS = 5.0  # for all mirrors together
STALL_SECONDS = 20.0  # without a byte
TOTAL_SECONDS = 900.0
MAX_BYTES = 64 << 20  # the largest file of the catalogue has 26 MB
_CHUNK = 1 << 16


def https_only() -> urllib.request.OpenerDirector:
    """An opener that knows no other scheme: no http, ftp or file, at first or by redirection."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def download(url: str, *, opener: urllib.request.OpenerDirector, progress: Progress) -> bytes:
    """The body of `url`, at most MAX_BYTES. `progress` gets (bytes so far, total or None). Raises DataError."""
    try:
        with opener.open(
            urllib.request.Request(url, headers={"User-Agent": "jaxquard"}), timeout=STALL_SECONDS
        ) as body:
            return _read(url, body, progress)
    except urllib.error.HTTPError as error:
        raise DataError(f"{url}: HTTP status {error.code}") from None
    except urllib.error.URLError as error:
        raise DataError(f"{url}: {_reason(error.reason)}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise DataError(f"{url}: {_reason(error)}") from None


def unreachable(urls: Iterable[str]) -> dict[str, str]:
    """Which of these addresses' hosts do not answer, and why, found out for all at once within CONNECT_SECONDS.

    A black hole then costs its time-out once, not once for each file, host and address; and so does a name server.
    """
    if urllib.request.getproxies().get("https"):
        return {}  # only the proxy knows
    answers: dict[str, str] = {}
    threads = [threading.Thread(target=_knock, args=(url, answers), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + CONNECT_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    no_answer = f"no answer within {CONNECT_SECONDS:g} s"
    return {url: reason for url in urls if (reason := answers.get(url, no_answer))}


def _knock(url: str, answers: dict[str, str]) -> None:
    parts = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port or 443), timeout=CONNECT_SECONDS).close()
        answers[url] = ""
    except OSError as error:
        answers[url] = _reason(error)


def _read(url: str, body, progress: Progress) -> bytes:
    length = body.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    data, deadline = bytearray(), time.monotonic() + TOTAL_SECONDS
    while chunk := body.read(_CHUNK):
        data += chunk
        if max(len(data), total or 0) > MAX_BYTES:
            raise DataError(f"{url}: more than {MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise DataError(f"{url}: not finished after {TOTAL_SECONDS:g} s")
        progress(len(data), total)
    if total is not None and len(data) != total:
        raise DataError(f"{url}: broke off after {len(data)} of {total} bytes")
    return bytes(data)


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "stalled"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
