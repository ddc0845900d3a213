"""Every route, method, Host, Origin and token: which requests are refused, with which status, and never with a 5xx."""

import dataclasses
import itertools
import re

import pytest

from jaxquard.studio import Studio
from jaxquard.studio.server import MODULES, create_app

HOST = "127.0.0.1:8765"
TOKEN = "t" * 43
API = sorted({re.sub(r"{\w+(:\w+)?}", "x", route.path) for module in MODULES for route in module.routes})
PATHS = ["/", "/static/index.html", "/nowhere", "/api/nowhere", *API]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FROB"]
HOSTS = {
    HOST: True,
    **dict.fromkeys(("", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:87650", "evil.example", "evil.example:8765"), False),
    **dict.fromkeys(
        (f"{HOST}.evil.example", f"evil@{HOST}", "127.0.0.1.:8765", f"{HOST}/", f" {HOST}", "[::1]:8765"), False
    ),
    **dict.fromkeys(("0.0.0.0:8765", "2130706433:8765", "127.1:8765", "0x7f.1:8765", f"{HOST},{HOST}"), False),
}
ORIGINS = {
    (): True,
    (("origin", f"http://{HOST}"),): True,
    (("origin", f"http://{HOST}"), ("sec-fetch-site", "same-origin")): True,
    (("origin", "null"),): False,
    (("origin", ""),): False,
    (("origin", f"https://{HOST}"),): False,
    (("origin", "http://127.0.0.1:8766"),): False,
    (("origin", "http://localhost:8765"),): False,
    (("origin", f"http://{HOST}.evil.example"),): False,
    (("origin", f"http://evil.example/{HOST}"),): False,
    (("sec-fetch-site", "cross-site"),): False,
    (("sec-fetch-site", "same-site"),): False,
    (("sec-fetch-site", "none"),): False,
    (("origin", f"http://{HOST}"), ("sec-fetch-site", "cross-site")): False,
}
CELLS = [  # each Host with the right Origin and with a wrong one, each Origin with the right Host
    *itertools.product(HOSTS.items(), list(ORIGINS.items())[2:4]),
    *itertools.product(list(HOSTS.items())[:1], ORIGINS.items()),
]
TOKENS = {TOKEN: True, "": False, TOKEN[:-1]: False, TOKEN + "t": False, TOKEN.upper(): False, "é" * 43: False}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Two studios without runs: one for this machine only, one with a token."""
    own = Studio(tmp_path_factory.mktemp("runs"), offline=True, hosts=frozenset({HOST}))
    return {False: create_app(own), True: create_app(dataclasses.replace(own, token=TOKEN))}


def expected(method: str, path: str, host: bool, origin: tuple, token: bool) -> int | None:
    """The status that a request must get if it is refused, else None."""
    safe, public = method in ("GET", "HEAD"), path == "/" or path.startswith("/static/")
    if not host or (not safe and not ORIGINS[origin]):
        return 403
    if not public and not ORIGINS[origin] and origin != (("sec-fetch-site", "none"),):  # an address that was typed
        return 403
    return None if token or public else 401


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_refused_requests(ask, empty, method, path):
    for (host, ours), (origin, _) in CELLS:
        refusal = expected(method, path, ours, origin, True)
        if refusal:
            answer = ask(method, path, {"host": host, **dict(origin)}, to=empty[False])
            assert answer.status == refusal, (host, origin)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in answer.headers
    for token, right in TOKENS.items():
        refusal = expected(method, path, True, (), right)
        if refusal:
            answer = ask(method, path, {"x-jaxquard-token": token}, to=empty[True])
            assert answer.status == refusal, token


@pytest.mark.parametrize("path", [path for path in PATHS if path not in ("/api/events", "/api/predict")])
@pytest.mark.parametrize("method", METHODS)
def test_accepted_requests_get_an_answer_or_an_error_message(ask, empty, method, path):
    answer = ask(method, path, {"origin": f"http://{HOST}", "x-jaxquard-token": TOKEN}, to=empty[True])
    assert answer.status < 500
    assert answer.status not in (401, 403)
    if answer.status >= 400 and method != "HEAD":
        assert list(answer.json) == ["error"]
    if method not in ("GET", "HEAD", "POST"):
        assert answer.status in (404, 405)


def test_a_token_counts_only_in_its_header(ask, empty):
    for path, headers in [
        (f"/api/runs?token={TOKEN}", {}),
        (f"/api/runs?x-jaxquard-token={TOKEN}", {}),
        ("/api/runs", {"cookie": f"x-jaxquard-token={TOKEN}"}),
        ("/api/runs", {"authorization": f"Bearer {TOKEN}"}),
    ]:
        assert ask("GET", path, headers, to=empty[True]).status == 401


@pytest.mark.parametrize(
    ("hosts", "tokens", "status"), [(1, 1, 200), (2, 1, 403), (0, 1, 403), (1, 2, 401), (1, 0, 401)]
)
def test_two_hosts_or_two_tokens_are_refused(ask, empty, hosts, tokens, status):
    headers = {"host": (HOST,) * hosts, "x-jaxquard-token": (TOKEN,) * tokens}
    assert ask("GET", "/api/runs", headers, to=empty[True]).status == status
