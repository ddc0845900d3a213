"""The modules of jaxquard/web in a page of a real browser."""

import base64
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Route

WEB = Path(str(resources.files("jaxquard"))) / "web"
ORIGIN = "http://modules"  # the test answers every request itself


def _sent(given: Any) -> Any:
    """A value for JavaScript: bytes and arrays as base64, with the name of their typed array."""
    if isinstance(given, bytes):
        return _sent(np.frombuffer(given, np.uint8))
    if isinstance(given, np.ndarray):
        kind = {"uint8": "Uint8Array", "float32": "Float32Array"}[given.dtype.name]
        return {"base64": base64.b64encode(given.tobytes()).decode(), "kind": kind}
    return [_sent(one) for one in given] if isinstance(given, list | tuple) else given


@pytest.fixture(scope="module")
def ask(browser: Browser) -> Iterator[Callable[..., Any]]:
    """`ask(body, *given)`: the result of JavaScript code that has all names of the modules, and `given`: these values.

    Bytes and arrays become typed arrays.
    """
    page = browser.new_page()

    def respond(route: Route) -> None:
        name = route.request.url.removeprefix(f"{ORIGIN}/")
        html = {"body": "<!doctype html>", "content_type": "text/html"}
        route.fulfill(**({"path": WEB / name, "content_type": "text/javascript"} if name else html))

    page.route(f"{ORIGIN}/**", respond)
    page.goto(f"{ORIGIN}/")
    modules = "".join(f"...await import('/{path.name}')," for path in sorted(WEB.glob("*.js")))
    names = page.evaluate(f"async () => Object.keys({{{modules}}})")

    def answer(body: str, *given: Any) -> Any:
        code = f"""async (sent) => {{
          const typed = (one) => Array.isArray(one) ? one.map(typed) : !one?.kind ? one :
            new globalThis[one.kind](Uint8Array.from(atob(one.base64), (c) => c.charCodeAt(0)).buffer);
          const {{{", ".join(names)}}} = {{{modules}}}, given = typed(sent);
          {body}
        }}"""
        return page.evaluate(code, _sent(given))

    yield answer
    page.close()
