"""Static files, addresses and the socket: paths that try to leave the static folder, and broken requests."""

import base64
import contextlib
import json
import socket
import threading

import pytest
import uvicorn

from jaxquard import cli
from jaxquard.errors import JaxquardError, UsageError
from jaxquard.studio import Studio, server
from jaxquard.studio.server import SERVER, create_app, is_own, listen, static_files

HOST = "127.0.0.1:8765"
JAVASCRIPT = "text/javascript; charset=utf-8"
UP = ["..", "%2e%2e", "%2E%2e", ".%2e", "%252e%252e", "..;", "%c0%ae%c0%ae", "%e0%80%ae", "%u002e%u002e", ". .", "...."]
SLASHES = ["/", "%2f", "%5c", "%252f", "%c0%af"]
SPELLINGS = [
    *(f"{up}{slash}" * 4 + "secret.txt" for up in UP for slash in SLASHES),
    *(
        "/etc/passwd",
        "//etc/passwd",
        "%2fetc%2fpasswd",
        "file:///etc/passwd",
        "C:%5csecret.txt",
        "~/secret.txt",
        "~root",
    ),
    *("index.html/../../secret.txt", "views/..%2f..%2fserver.py", "./../server.py", "index.html%00.png", "%00", "%0a"),
    *("..%00/secret.txt", "slow/../../secret.txt", "slow%2fconfig.toml", "slow@0/../../secret.txt", "*", "server.py"),
    *("", ".", "a" * 5000, "%", "%zz", "%ff%fe", "con", "nul", "..%01", "slower?run=../secret.txt", "__init__.py"),
    ".git/config",
]
PLACES = ["/static/", "/api/runs/", "/api/lessons/", "/api/models/", "/"]


def test_only_the_pages_files_are_served(ask):
    files = static_files()
    assert {"index.html", "app.js", "style.css", "views/learn.js"} <= set(files)
    kinds = {"css": "text/css; charset=utf-8", "html": "text/html; charset=utf-8", "svg": "image/svg+xml"}
    for name, content in files.items():
        answer = ask("GET", f"/static/{name}")
        assert (answer.status, answer.body) == (200, content)
        assert answer.headers["content-type"] == (kinds | {"js": JAVASCRIPT})[name.rpartition(".")[2]]
        assert ask("GET", f"/static/{name}", {"if-none-match": answer.headers["etag"]}).status == 304
    page = ask("GET", "/")
    assert page.body == files["index.html"]
    assert page.headers["cache-control"] == "no-cache"
    assert ask("HEAD", "/").status == 200


def test_static_files_are_read_at_the_start(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.js").write_text("1")
    (tmp_path / "c.pyc").write_bytes(b"x")
    assert static_files(tmp_path) == {"a/b.js": b"1"}


def test_the_charting_library_is_a_module_with_exports(ask):
    answer = ask("GET", "/static/vega.js")
    assert answer.headers["content-type"] == JAVASCRIPT
    assert b"vegaEmbed" in answer.body[-200:]
    assert b"http" not in answer.body[:100]


@pytest.fixture(scope="module")
def live(made_runs, tmp_path_factory):
    """The port of a server in a thread of this process, on `made_runs`, with a secret file beside them."""
    made_runs.parent.joinpath("secret.txt").write_text("SECRET")
    listening, _ = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    app = create_app(Studio(made_runs, offline=True, hosts=frozenset({f"127.0.0.1:{port}"}), streams=2))
    running = uvicorn.Server(uvicorn.Config(app, log_level="critical", **SERVER))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    yield port
    running.should_exit = True
    thread.join()


def send(port: int, request: bytes, *, hang_up: bool = False) -> bytes:
    """The whole answer to these bytes; with `hang_up`, the client sends nothing more."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, contextlib.suppress(OSError):
        connection.sendall(request.replace(b"HOST", f"127.0.0.1:{port}".encode()))
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


@pytest.mark.parametrize("place", PLACES)
def test_no_spelling_leaves_the_static_folder(live, place):
    for spelling in SPELLINGS:
        target = f"{place}{spelling}"
        answer = send(live, f"GET {target} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n".encode())
        status = int(answer.split(b" ", 2)[1])
        allowed = target.removesuffix("%0a") == "/"
        assert 400 <= status < 500 or (allowed and status == 200), (spelling, answer[:200])
        assert b"SECRET" not in answer
        assert b"root:" not in answer
        assert b"Traceback" not in answer


BROKEN = [
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: -5\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: HOST\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
    b"POST /api/jobs HTTP/1.1\r\nHost: HOST\r\nContent-Length: 50000000\r\n\r\n",
    b"POST /api/jobs HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


@pytest.mark.parametrize("request_", BROKEN, ids=lambda request: repr(request[:60]))
def test_a_broken_request_is_a_4xx_and_the_studio_keeps_running(live, request_):
    answer = send(live, request_, hang_up=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert b"Traceback" not in answer
    assert send(live, b"GET /api/runs HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", ["/api/jobs", "/api/jobs/resume", "/api/settings/check", "/api/predict"])
def test_the_studio_keeps_running_after_an_aborted_upload(live, path):
    head = f"POST {path} HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n"
    assert not send(live, head.encode() + b'{"settings": {', hang_up=True).startswith(b"HTTP/1.1 5")
    assert send(live, b"GET /api/jobs HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n").endswith(b'{"jobs":[]}')


def test_too_many_streams_get_a_retry_after(live, wait_until):
    def connect(stack: contextlib.ExitStack) -> bool:
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", live), timeout=30))
        connection.sendall(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{live}\r\n\r\n".encode())
        return b"200 OK" in connection.recv(4096)

    with contextlib.ExitStack() as stack:
        assert connect(stack)
        assert connect(stack)
        full = send(live, b"GET /api/events HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n")
        assert full.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 5" in full
    with contextlib.ExitStack() as stack:
        wait_until(lambda: connect(stack))  # both have disconnected: another may connect


def test_a_loopback_address_needs_no_token():
    assert is_own("127.0.0.1")
    assert is_own("127.1.2.3")
    assert is_own("::1")
    assert not is_own("192.168.0.7")
    assert not is_own("fe80::1%eth0")


def test_a_body_does_not_wait_until_its_head_is_acknowledged():
    listening, _ = listen("127.0.0.1", 0)
    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0"])
def test_all_addresses_at_once_are_refused(host):
    with pytest.raises(UsageError, match="give one address"):
        listen(host, 0)


def test_a_port_in_use_is_one_message():
    taken, _ = listen("127.0.0.1", 0)
    with taken, pytest.raises(JaxquardError, match=r"cannot listen at 127\.0\.0\.1, port \d+: .*; try another --port"):
        listen("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("host", "port"), [("no such host", 1), ("127.0.0.1", -1), ("127.0.0.1", 70000), ("a" * 300, 1)]
)
def test_an_invalid_address_is_refused(host, port):
    with pytest.raises(JaxquardError):
        listen(host, port)[0].close()


@pytest.fixture
def served(monkeypatch, tmp_path, capsys):
    """`served(*arguments)`: what `jaxquard studio` would serve, and what it printed."""
    seen = []
    monkeypatch.setattr(server.uvicorn.Server, "run", lambda self, sockets: seen.append((self.config.app, sockets[0])))
    monkeypatch.setattr(server, "vega", lambda: None)
    monkeypatch.setattr("jaxquard.compilation.keep_compiled_programs", lambda: None)

    def serve(*arguments: str):
        seen.clear()
        cli.app(["studio", "--runs", str(tmp_path), "--port", "0", *arguments], exit_on_error=False)
        app, listening = seen[-1]
        with listening:
            return app.state.studio, listening.getsockname(), capsys.readouterr()

    return serve


def test_the_command_serves_only_this_machine(served):
    studio, (address, port), said = served("--no-open", "--json", "--offline")
    assert (address, studio.token, studio.offline) == ("127.0.0.1", None, True)
    assert studio.hosts == {f"127.0.0.1:{port}", f"localhost:{port}"}
    assert json.loads(said.out) == {"url": f"http://127.0.0.1:{port}/", "token": None}


def test_the_command_prints_its_address(served):
    _, (_, port), said = served("--no-open")
    assert said.out == ""
    assert f"http://127.0.0.1:{port}/" in said.err


def test_another_address_has_a_new_256_bit_token_that_is_not_in_the_url(served, monkeypatch):
    monkeypatch.setattr(server, "is_own", lambda address: False)
    studio, (_, port), said = served("--no-open", "--json")
    document = json.loads(said.out)
    assert document["token"] == studio.token
    assert len(base64.urlsafe_b64decode(f"{studio.token}=")) * 8 == 256
    assert studio.token not in document["url"]
    assert studio.hosts == {f"127.0.0.1:{port}"}
    again, _, _ = served("--no-open", "--json")
    assert again.token != studio.token


def test_the_hosts_are_written_as_browsers_write_them(studio):
    own = server.guarded(studio, {"::1", "LocalHost"}, 80, own=True)
    assert (own.hosts, own.token) == ({"[::1]:80", "localhost:80", "[::1]", "localhost"}, None)
    other = server.guarded(studio, {"192.168.0.7", "Loom.local"}, 8765, own=False)
    assert other.hosts == {"192.168.0.7:8765", "loom.local:8765"}
    assert other.token


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "vl_convert"])
def test_without_the_extra_the_command_says_how_to_install_it(monkeypatch, capsys, missing):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else found(name))
    with pytest.raises(SystemExit) as end:
        cli.main(["studio"])
    assert end.value.code == 1
    assert capsys.readouterr().err == ('jaxquard: the studio needs an extra: pip install "jaxquard[studio]"\n')


SHOWN = [
    (["firefox"], {"DISPLAY": ":0"}, True),
    (["chromium"], {"WAYLAND_DISPLAY": "wayland-0"}, True),
    (["firefox"], {}, False),
    (["lynx"], {"DISPLAY": ":0"}, False),
    (["/usr/bin/env", "w3m", "%s"], {"BROWSER": "/usr/bin/env w3m %s", "DISPLAY": ":0"}, False),
    (["/opt/editor/browser.sh"], {"BROWSER": "/opt/editor/browser.sh"}, True),
    (["xdg-open"], {"BROWSER": "xdg-open"}, False),
]


@pytest.mark.parametrize(("command", "environment", "shown"), SHOWN)
def test_no_terminal_browser_is_started(command, environment, shown, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    assert server.has_windows(command, environment) == shown


@pytest.mark.parametrize(("browser", "opened"), [("lynx", []), ("/opt/browser.sh", ["http://a/"])])
def test_the_page_is_shown_by_the_browser_of_the_environment(browser, opened, monkeypatch):
    found = []
    chosen = server.webbrowser.GenericBrowser(browser)
    monkeypatch.setattr(chosen, "open", found.append)
    monkeypatch.setattr(server.webbrowser, "get", lambda: chosen)
    monkeypatch.setattr(server.os, "environ", {"BROWSER": browser})
    server.show("http://a/")
    assert found == opened
