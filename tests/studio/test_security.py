"""The guard: what it refuses, the headers it adds, its limits; and that it hides unexpected errors."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from jaxquard import systems
from jaxquard.studio.security import HEADERS, MAX_BODY, MAX_DEPTH, MAX_PICTURE, Guard, is_deep, read_json, without_paths

HOST = "127.0.0.1:8765"
OWN = {"origin": f"http://{HOST}", "sec-fetch-site": "same-origin", "content-type": "application/json"}


async def echo(request: Request) -> JSONResponse:
    return JSONResponse(await read_json(request))


async def fail(request: Request) -> PlainTextResponse:
    raise RuntimeError("a library's words about /etc/secret")


@pytest.fixture
def app():
    """An application with a route that reads JSON and one that raises an unexpected error."""
    routes = [Route("/api/echo", echo, methods=["POST"]), Route("/api/fail", fail)]
    return Starlette(routes=routes, middleware=[Middleware(Guard, frozenset({HOST}), None)])


@pytest.mark.parametrize(
    "body", [b'{"a": [1, {"b": null}]}', '{"ü": "\\u00e9"}'.encode(), b" {} ", b'{"a": "\\ud83d\\ude00"}']
)
def test_json_is_read(ask, body):
    answer = ask("POST", "/api/echo", OWN, [body[:5], body[5:]])
    assert (answer.status, json.loads(answer.body)) == (200, json.loads(body))


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b"1", b'"x"', b"{} {}", b"\xff", b"\xef\xbb\xbf{}"),
        *(b'{"a": NaN}', b'{"a": 1e999}'),
        *(b'{"a": 1, "a": 2}', b'{"a": "\\ud800"}', b'{"a": ' + b"1" * 5000 + b"}", b"{'a': 1}", b'{"a": "\x00"}'),
        b'{"a": ' * MAX_DEPTH + b"{}" + b"}" * MAX_DEPTH,
        b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_a_json_object_is_refused(ask, body):
    answer = ask("POST", "/api/echo", OWN, [body])
    assert answer.status == 400


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"])
def test_content_types_of_html_forms_are_refused(ask, kind):
    assert ask("POST", "/api/echo", OWN | {"content-type": kind}, [b"{}"]).status == 415


def test_a_body_whose_length_is_too_large_is_not_read(ask):
    answer = ask("POST", "/api/echo", OWN | {"content-length": str(MAX_BODY + 1)}, [])
    assert answer.status == 413
    assert "1 MB" in json.loads(answer.body)["error"]


def test_a_body_longer_than_the_limit_is_refused(ask):
    piece = b" " * (MAX_BODY // 3)
    assert ask("POST", "/api/echo", OWN, [piece, piece, piece, b"{}"]).status == 413
    assert ask("POST", "/api/echo", OWN, [b" " * (MAX_BODY - 2), b"{}"]).status == 200


def test_a_picture_may_be_larger_than_json(ask):
    picture = OWN | {"content-type": "image/png"}
    answer = ask("POST", "/api/echo", picture | {"content-length": str(MAX_PICTURE + 1)}, [])
    assert answer.status == 413
    assert "64 MB" in json.loads(answer.body)["error"]


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "٣", "9" * 5000, ""])
def test_an_invalid_length_is_refused(ask, length):
    assert ask("GET", "/api/fail", {"content-length": length.encode().decode("latin-1")}).status in (400, 413)


def test_an_unexpected_error_hides_its_message(ask, capsys):
    answer = ask("GET", "/api/fail")
    assert answer.status == 500
    assert json.loads(answer.body) == {"error": "a fault of the studio: its terminal says more"}
    assert answer.headers["content-security-policy"] == HEADERS["content-security-policy"]
    assert capsys.readouterr().err == "jaxquard: RuntimeError in '/api/fail'\n"


def test_the_policy_allows_nothing_unsafe():
    policy = dict(part.split(" ", 1) for part in HEADERS["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in HEADERS["content-security-policy"]
    assert not {name for name in HEADERS if name.startswith("access-control")}


def nested(depth: int) -> object:
    return 0 if depth == 0 else [nested(depth - 1)] if depth % 2 else {"a": nested(depth - 1), "b": 1}


@given(st.integers(0, 20))
def test_depth(depth):
    assert is_deep(nested(depth)) == (depth > MAX_DEPTH)


LINK = "cannot fetch https://example.org/a/b.gz"


@pytest.mark.parametrize(
    ("windows", "said", "shown"),
    [
        (False, "/home/me/runs/x/journal.jsonl: line 3 is damaged", "journal.jsonl: line 3 is damaged"),
        (False, "runs/x: in use", "runs/x: in use"),
        (False, "between 0 and/or 1", "between 0 and/or 1"),
        (False, LINK, LINK),
        (False, "'/tmp/a b/c' and /x/y/z", "'a b/c' and z"),
        (False, "/disk/my runs/x/journal.jsonl: damaged", "journal.jsonl: damaged"),
        (False, "no such run in /home/a b/runs, nor in /disk/c d/e", "no such run in runs, nor in c d/e"),
        (True, r"C:\Users\me\runs\x\journal.jsonl: line 3 is damaged", "journal.jsonl: line 3 is damaged"),
        (True, r"D:\my runs\x\journal.jsonl: damaged", "journal.jsonl: damaged"),
        (True, r"C:/Users/me/x.png and \\server\share\y", "x.png and y"),
        (True, LINK, LINK),
    ],
)
def test_an_error_names_files_without_their_folders(monkeypatch, windows, said, shown):
    """Folders with a space in their name are known if they are those of the runs or the user's."""
    monkeypatch.setattr(systems, "WINDOWS", windows)
    monkeypatch.setenv("HOME", "/home/a b")
    assert without_paths(said, Path("/disk/my runs"), Path(r"D:\my runs"), None) == shown


def test_a_user_at_the_root_has_no_known_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/")
    assert without_paths("see https://example.org/a and /b/c") == "see https://example.org/a and c"
