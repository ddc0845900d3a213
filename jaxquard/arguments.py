"""Checks of values that a user gives: arguments by their annotations, numbers by their bounds."""

import functools
import inspect
import math
import numbers
import operator
import os
import re
import sys
import types
import typing
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, get_args, get_origin

from jaxquard.errors import UsageError

MAX_SIDE = 1 << 16  # pixels of an image
P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """`function` with a UsageError for arguments that do not fit its signature or their annotations.

    Numbers are not checked: only the function knows their bounds.
    """
    signature, hints = inspect.signature(function), typing.get_type_hints(function)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            name = function.__name__
            raise UsageError(f"{name}: {error}; write {name}({_call(signature, hints)})") from None
        for name, value in given.items():
            check(name, value, hints[name])
        return function(*args, **kwargs)

    return wrapper


def _call(signature: inspect.Signature, hints: dict[str, Any]) -> str:
    """The arguments that a call must have or may have by position, such as `model, [pictures], to=…`, then `…`."""
    said = []
    for name, parameter in signature.parameters.items():
        if parameter.kind is not parameter.KEYWORD_ONLY:
            said.append(f"[{name}]" if get_origin(hints[name]) is Sequence else name)
        elif parameter.default is parameter.empty:
            said.append(f"{name}=…")
    return ", ".join([*said, "…"] if len(said) < len(signature.parameters) else said)


def check(name: str, value: Any, kind: Any) -> None:
    """UsageError unless `value` is of this kind, such as `str | Path | None`."""
    if isinstance(value, str | Path) and _fits(type(value)("x"), kind) and not _is_encodable(str(value)):
        raise UsageError(f"{name}: must be at most 4,096 characters that a path can have, not {shown(value)}")
    if not _fits(value, kind):
        raise UsageError(f"{name}: must be {_described(kind)}, not {shown(value)}")


def _fits(value: Any, kind: Any) -> bool:
    origin, options = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, option) for option in options)
    if origin is Literal:
        return isinstance(value, str) and value in options
    if origin is Sequence:
        is_list = getattr(value, "ndim", None) == 1 or (isinstance(value, Sequence) and not isinstance(value, str))
        return is_list and all(_fits(v, options[0]) for v in value)
    if kind in (int, float):
        return True
    if kind is bool:
        return isinstance(plain(value), bool)
    if kind in (str, Path):
        value = os.fspath(value) if kind is Path and isinstance(value, os.PathLike) else value
        return isinstance(value, str) and _is_encodable(value)
    return callable(value) if origin is Callable else isinstance(value, kind or type(None))


def _is_encodable(text: str) -> bool:
    """Whether this text can be a path: encodable, without a zero byte, at most 4,096 bytes."""
    try:
        return 0 not in os.fsencode(text)[:4097] and len(text) <= 4096
    except UnicodeEncodeError:
        return False


def _described(kind: Any) -> str:
    origin, options = get_origin(kind), get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(dict.fromkeys(_described(option) for option in options if option is not type(None)))
    if origin is Literal:
        return f"one of {', '.join(options)}"
    if origin is Sequence:
        return f"a list, each {_described(options[0])}"
    if origin is Callable:
        return "a function"
    words = {bool: "true or false", int: "a whole number", str: "text", Path: "a path", float: "a number"}
    return words.get(kind) or f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def plain(value: Any) -> Any:
    """A NumPy or JAX scalar as a Python value; anything else unchanged."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def shown(value: object) -> str:
    """A value for an error message: one line of at most 61 characters."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a number of thousands of digits, or a broken __repr__
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:60]}…"


_NUMERAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def number(text: str) -> int | float:
    """The number in a text of ASCII digits, a sign, a point and an exponent. ValueError for any other text."""
    if not _NUMERAL.fullmatch(text):
        raise ValueError(text[:60])
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def checked_number(name: str, kind: type, value: Any, single: bool = False, **bounds: float | None) -> Any:
    """`value` as `kind` (int or float) within `bounds`, rounded to single precision if `single`; UsageError otherwise.

    `low` and `high` are inclusive, `above` and `below` exclusive. 3.0 is a whole number, 3.5 is not.
    """
    value = plain(value)
    if not isinstance(value, bool | int | float) and isinstance(value, numbers.Real):  # a fraction, say
        value = int(value) if isinstance(value, numbers.Integral) else float(value)
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    # networks compute in single precision, where 0.999999999 is 1 and 1e-50 is 0
    seen = array("f", [value])[0] if number and single else value
    if not number or math.isinf(seen) or (kind is int and value != int(value)):
        raise UsageError(f"{name}: must be a {'whole' if kind is int else 'finite'} number, not {shown(value)}")
    limits = {b: bound for b, bound in bounds.items() if bound is not None}
    if not all(_BOUNDS[b][1](seen, bound) for b, bound in limits.items()):
        needs = " and ".join(f"{_BOUNDS[b][0]} {bound}" for b, bound in limits.items())
        raise UsageError(f"{name}: must be {needs}, not {shown(value)}")
    return kind(value)


def image_size(value: Any) -> tuple[int, int]:
    """(height, width) from a number for both, from text such as `32` or `24x32`, or from a pair. Raises UsageError."""
    try:
        words = re.split("[x×]", value.lower()) if isinstance(value, str) else ()
        sides = [number(word.strip()) for word in words] or (value if isinstance(value, list | tuple) else [value])
        pair = (*sides, *sides)[: max(2, len(sides))]
        height, width = (checked_number("", int, side, low=1, high=MAX_SIDE) for side in pair)
    except (ValueError, UsageError):
        wanted = f"a number of pixels up to {MAX_SIDE}, or height x width such as 24x32"
        raise UsageError(f"image_size: must be {wanted}, not {shown(value)}") from None
    return height, width


_BOUNDS = {
    "low": ("at least", operator.ge),
    "high": ("at most", operator.le),
    "above": ("above", operator.gt),
    "below": ("below", operator.lt),
}
