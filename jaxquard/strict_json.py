"""Strict JSON. Reading refuses everything that the standard forbids or leaves undefined."""

import json
import math
from typing import Any


def loads(data: bytes) -> Any:
    """The JSON value in UTF-8 `data`. ValueError for anything else, and for duplicate keys, NaN, infinities, too deep
    nesting and whole numbers of more than 64 bits.
    """
    try:
        read = {"parse_int": _whole, "parse_float": _finite, "parse_constant": _finite}
        return json.loads(data.decode(), object_pairs_hook=_object, **read)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("not JSON in UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def plain(value: Any, digits: int | None = None) -> Any:
    """A value as plain data for JSON: lists for arrays, `document()` for results, None for numbers that are not finite.

    Floats are rounded to `digits` significant digits (None: not rounded).
    """
    if isinstance(value, dict):
        return {str(name): plain(item, digits) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, digits) for item in value]
    for method in ("document", "tolist"):
        if hasattr(value, method):
            return plain(getattr(value, method)(), digits)
    if isinstance(value, float):
        return (float(f"{value:.{digits}g}") if digits else value) if math.isfinite(value) else None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} appears twice")
    return found


def _whole(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise ValueError(f"{text[:20]} has too many digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not a finite number")
    return number
