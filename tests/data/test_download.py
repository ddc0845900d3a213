"""A faulty server gives one DataError, only HTTPS is allowed, and unreachable hosts are found quickly."""

import io
import re
import socket
import ssl
import threading
import urllib.request
import urllib.response
from email.message import Message

import pytest

from jaxquard.data import download as module
from jaxquard.data.download import download, https_only, unreachable
from jaxquard.errors import DataError

from .mirror import ignore

NAME = "train-images-idx3-ubyte.gz"


def test_the_body_arrives_and_progress_is_reported(tiny, server, opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", 100)
    reports = []
    body = download(server.mirror("good") + NAME, opener=opener, progress=lambda *seen: reports.append(seen))
    assert body == tiny.gzipped[NAME]
    assert reports[0] == (100, len(body))
    assert reports[-1] == (len(body), len(body))


def test_a_redirection_is_followed(tiny, server, opener) -> None:
    assert download(server.mirror("moved") + NAME, opener=opener, progress=ignore) == tiny.gzipped[NAME]


@pytest.mark.parametrize(
    ("manner", "expected"),
    [
        ("truncated", "incomplete: [0-9]+ of [0-9]+ bytes"),
        ("stalled", "stalled"),
        ("broken", "HTTP status 503"),
        ("round", "HTTP status 302"),
        ("elsewhere", "HTTP status 302"),
        ("huge", "more than 268435456 bytes"),
    ],
)
def test_a_server_that_misbehaves(manner: str, expected: str, server, opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALL_SECONDS", 0.2)
    with pytest.raises(DataError, match=expected):
        download(server.mirror(manner) + NAME, opener=opener, progress=ignore)


@pytest.mark.parametrize("manner", ["good", "unmeasured"])
def test_a_body_without_end_is_cut(manner: str, server, opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    with pytest.raises(DataError, match="more than 100 bytes"):
        download(server.mirror(manner) + NAME, opener=opener, progress=ignore)
    monkeypatch.undo()
    monkeypatch.setattr(module, "TOTAL_SECONDS", -1.0)
    with pytest.raises(DataError, match="not finished after"):
        download(server.mirror("good") + NAME, opener=opener, progress=ignore)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_nothing_but_https(url: str) -> None:
    with pytest.raises(DataError, match="unknown url type"):
        download(url, opener=https_only(), progress=ignore)


def test_not_even_after_a_redirection() -> None:
    class Redirecting(urllib.request.BaseHandler):
        handler_order = 0

        def https_open(self, request: urllib.request.Request):
            headers = Message()
            headers["Location"] = "http://127.0.0.1:9/x"
            response = urllib.response.addinfourl(io.BytesIO(), headers, request.full_url, 302)
            response.msg = "Found"
            return response

    opener = https_only()
    opener.add_handler(Redirecting())
    with pytest.raises(DataError, match="unknown url type: http"):
        download("https://example.org/x", opener=opener, progress=ignore)


def test_unreachable_hosts_are_found(server) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: refused
        dead = f"https://127.0.0.1:{closed.getsockname()[1]}/"
        assert unreachable([server.address, dead]) == {dead: "Connection refused"}


def test_silent_hosts_share_one_time_out(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight hosts at once never answer, and the calls cannot be interrupted, as with a silent name server."""
    asked, over = threading.Semaphore(0), threading.Event()

    def black_hole(*_: object, **__: object) -> None:
        asked.release()
        over.wait()
        raise OSError

    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(socket, "create_connection", black_hole)
    hosts = [f"https://host-{n}.example/" for n in range(8)]
    assert unreachable(hosts) == dict.fromkeys(hosts, "no answer within 0.2 s")
    for _ in hosts:
        asked.acquire()  # all hosts were tested before the first one answered
    over.set()


def test_behind_a_proxy_no_host_is_tested(tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("asked directly"))
    assert unreachable(["https://example.org/"]) == {}


def test_reasons_are_words() -> None:
    assert module._reason(OSError("only words")) == "only words"
    assert re.fullmatch("[A-Z].*", module._reason(ConnectionRefusedError(111, "Connection refused")))
    assert module._reason(ValueError()) == "ValueError"


def test_a_python_without_certificates_can_still_download(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "none.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert not ssl.create_default_context().get_ca_certs()
    (handler,) = (one for one in https_only().handlers if isinstance(one, urllib.request.HTTPSHandler))
    assert handler._context.get_ca_certs()
