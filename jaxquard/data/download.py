"""Downloads one file over HTTPS into memory, with short time-outs and a size limit. Redirects must be HTTPS, too."""

import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError
from urllib.parse import urlsplit

import certifi

from jaxquard.errors import DataError

CONNECT_SECONDS = 5.0  # for all hosts together
STALL_SECONDS = 20.0  # without data
TOTAL_SECONDS = 900.0
MAX_BYTES = 256 << 20  # the largest file of the catalogue has 170 MB
_CHUNK = 1 << 16


class Stalled(DataError):
    """No data came for STALL_SECONDS. Other files of the same server would stall, too."""


def https_only() -> urllib.request.OpenerDirector:
    """An opener that allows only HTTPS, also after a redirect: no http, ftp or file."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())  # python.org's Python on a Mac comes without certificates
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def download(url: str, *, opener: urllib.request.OpenerDirector, progress: Callable[[int, int | None], None]) -> bytes:
    """The body of `url`, at most MAX_BYTES. `progress` gets (bytes so far, total or None).

    Raises DataError with the reason; the caller adds the name of the file.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "jaxquard"})
    try:
        with opener.open(request, timeout=STALL_SECONDS) as body:
            return _read(body, progress)
    except HTTPError as error:
        error.close()
        raise DataError(f"HTTP status {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:
        stalled = isinstance(getattr(error, "reason", error), TimeoutError)
        raise (Stalled if stalled else DataError)(_reason(error)) from None


def unreachable(urls: Iterable[str]) -> dict[str, str]:
    """The addresses whose hosts do not answer, with the reasons. All are tested at once, within CONNECT_SECONDS.

    So a firewall or name server that drops packets costs one time-out, not one for every file and host.
    """
    if urllib.request.getproxies().get("https"):
        return {}  # only the proxy can connect
    answers: dict[str, str] = {}
    threads = {url: threading.Thread(target=_connect, args=(url, answers), daemon=True) for url in urls}
    deadline = time.monotonic() + CONNECT_SECONDS
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    no_answer = f"no answer within {CONNECT_SECONDS:g} s"
    return {url: reason for url in threads if (reason := answers.get(url, no_answer))}


def _connect(url: str, answers: dict[str, str]) -> None:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 443), timeout=CONNECT_SECONDS).close()
        answers[url] = ""
    except OSError as error:
        answers[url] = _reason(error)


def _read(body: HTTPResponse, progress: Callable[[int, int | None], None]) -> bytes:
    length = body.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    data, deadline = bytearray(), time.monotonic() + TOTAL_SECONDS
    while chunk := body.read(_CHUNK):
        data += chunk
        if max(len(data), total or 0) > MAX_BYTES:
            raise DataError(f"more than {MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise DataError(f"not finished after {TOTAL_SECONDS:g} s")
        progress(len(data), total)
    if total is not None and len(data) < total:
        raise DataError(f"incomplete: {len(data)} of {total} bytes")
    return bytes(data)


def _reason(error: object) -> str:
    error = getattr(error, "reason", error)  # of a URLError, the cause
    if isinstance(error, TimeoutError):
        return "stalled"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
