"""`--sweep`: makes configs of it. A swept scalar gives several networks in one run; another setting, several runs."""

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from jaxquard.arguments import checked_number, number
from jaxquard.config import SCALARS, Config, why_no_effect
from jaxquard.errors import UsageError
from jaxquard.naming import suggestion

_SETTINGS = Config.__annotations__.keys() - {"recipe", "sweep"}


def parse(texts: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """The values of each setting, from texts `setting=value,value,…`: numbers, true or false, words, or 128-64."""
    pairs = [_parsed(text) for text in texts]
    if len(dict(pairs)) < len(pairs):
        raise UsageError("--sweep: a setting appears twice; give all its values at once")
    return dict(pairs)


def expand(base: Config, given: Mapping[str, Any], swept: Mapping[str, tuple[Any, ...]]) -> list[Config]:
    """One config for each combination of swept settings that are not scalars; each has the `given` settings, too.

    Swept scalars become the config's `sweep`. Several runs are compared on held-out images, so images are held out.
    """
    for name in swept:
        if name not in _SETTINGS:
            raise UsageError(f"--sweep {name}: no such setting{suggestion(name, _SETTINGS)}")
        if name in ("seed", "seeds"):
            raise UsageError(
                f"--sweep {name}: seeds cannot be swept; for several networks of each value, add --seeds 5"
            )
    scalars, shapes = tuple((name, values) for name, values in swept.items() if name in SCALARS), shapes_of(swept)
    for name, values in shapes.items():
        if len(set(values)) < len(values):
            raise UsageError(f"sweep: {name} has a value twice; for several networks of each value, use seeds")
    if shapes:
        given = {"validation": "auto" if base.validation is None else base.validation, **given}
        if 0 in (given["validation"], *shapes.get("validation", ())):
            raise UsageError("validation: must not be 0: a sweep chooses by validation data")
    if scalars:
        given = {**given, "sweep": scalars}
    combinations = [dict(zip(shapes, values, strict=True)) for values in itertools.product(*shapes.values())]
    configs = [_changed(base, {**given, **combination}) for combination in combinations]
    for name in swept:
        if not any(config.matters(name) for config in configs):
            raise UsageError(f"--sweep {name}: it has no effect here: {why_no_effect(name)}")
    return configs


def shapes_of(swept: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """The swept settings that are not scalars: each of their values needs a run."""
    return {name: values for name, values in swept.items() if name not in SCALARS}


def remaining(shapes: Mapping[str, tuple[Any, ...]], done: int) -> list[dict[str, tuple[Any, ...]]]:
    """Sweeps that together give all combinations of `shapes` except the first `done`, in order."""
    if not shapes:
        return [{}] if done == 0 else []
    (name, values), inner = next(iter(shapes.items())), dict(itertools.islice(shapes.items(), 1, None))
    whole, part = divmod(done, math.prod(map(len, inner.values())))
    begun = [{name: (values[whole],), **rest} for rest in remaining(inner, part)] if part else []
    later = values[whole + bool(part) :]
    return [*begun, *([{name: later, **inner}] if later else [])]


def written(swept: Mapping[str, tuple[Any, ...]]) -> list[str]:
    """Each setting as an argument of `--sweep`: the inverse of `parse`."""
    return [f"{name}={','.join(map(_written, values))}" for name, values in swept.items()]


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _changed(base: Config, changes: dict[str, Any]) -> Config:
    config = base.replace(**changes)
    if all(getattr(config, name) == getattr(base, name) for name in ("dataset", "image_size", "color", "validates")):
        return config
    measured = {"pixel_mean", "pixel_std"} - changes.keys()  # of other images, so measure them again
    return config.replace(**dict.fromkeys(measured))


def _parsed(text: str) -> tuple[str, tuple[Any, ...]]:
    name, equals, values = text.partition("=")
    if not equals or not all(values.split(",")):
        raise UsageError(f"--sweep {text}: write it as setting=value,value,…")
    name = name.strip().replace("-", "_")
    value = _layers if name in ("hidden", "widths") else _value
    return name, tuple(value(part) for part in values.split(","))


def _layers(text: str) -> tuple[int, ...]:
    try:
        return tuple(checked_number("", int, number(part)) for part in text.split("-"))
    except (ValueError, UsageError):
        raise UsageError(f"--sweep: write layers as 128-64, not {text}") from None


def _value(text: str) -> Any:
    """A number, true or false, or a word."""
    try:
        return number(text)
    except ValueError:
        return {"true": True, "false": False}.get(text, text)
