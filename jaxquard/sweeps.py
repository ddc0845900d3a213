"""`--sweep` as configs: a swept scalar makes several networks of one run, any other setting several runs."""

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
    """Each `setting=value,value,…` as the setting and its values: numbers, true or false, words, layers as 128-64."""
    pairs = [_parsed(text) for text in texts]
    if len(dict(pairs)) < len(pairs):
        raise UsageError("--sweep: a setting appears twice; give all its values at once")
    return dict(pairs)


def expand(base: Config, given: Mapping[str, Any], swept: Mapping[str, tuple[Any, ...]]) -> list[Config]:
    """`base` with the `given` settings and swept scalars: a config for each combination of the other swept settings.

    Other settings need other programs, so each combination is a run. The choice among runs needs held-out images.
    """
    for name in swept:
        if name not in _SETTINGS:
            raise UsageError(f"--sweep {name}: no such setting{suggestion(name, _SETTINGS)}")
        if name in ("seed", "seeds"):
            raise UsageError(f"--sweep {name}: seeds are not compared; for several of each network, add --seeds 5")
    scalars, shapes = tuple((name, values) for name, values in swept.items() if name in SCALARS), shapes_of(swept)
    for name, values in shapes.items():
        if len(set(values)) < len(values):
            raise UsageError(f"sweep: {name} has a value twice; for several networks of each value, use seeds")
    if shapes:
        given = {"validation": "auto" if base.validation is None else base.validation, **given}
        if 0 in (given["validation"], *shapes.get("validation", ())):
            raise UsageError("validation: a sweep chooses by validation data, so it cannot be 0")
    if scalars:
        given = {**given, "sweep": scalars}
    combinations = [dict(zip(shapes, values, strict=True)) for values in itertools.product(*shapes.values())]
    configs = [_changed(base, {**given, **combination}) for combination in combinations]
    for name in swept:
        if not any(config.matters(name) for config in configs):
            raise UsageError(f"--sweep {name}: it has no effect here: {why_no_effect(name)}")
    return configs


def shapes_of(swept: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """The swept settings that make one run for each value."""
    return {name: values for name, values in swept.items() if name not in SCALARS}


def remaining(shapes: Mapping[str, tuple[Any, ...]], done: int) -> list[dict[str, tuple[Any, ...]]]:
    """Sweeps that together make all combinations of `shapes` except the first `done`, in order."""
    if not shapes:
        return [{}] if done == 0 else []
    (name, values), inner = next(iter(shapes.items())), dict(itertools.islice(shapes.items(), 1, None))
    whole, part = divmod(done, math.prod(map(len, inner.values())))
    begun = [{name: (values[whole],), **rest} for rest in remaining(inner, part)] if part else []
    later = values[whole + bool(part) :]
    return [*begun, *([{name: later, **inner}] if later else [])]


def written(swept: Mapping[str, tuple[Any, ...]]) -> list[str]:
    """Each setting as `--sweep` takes it: the inverse of `parse`."""
    return [f"{name}={','.join(map(_written, values))}" for name, values in swept.items()]


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _changed(base: Config, changes: dict[str, Any]) -> Config:
    config = base.replace(**changes)
    if (config.dataset, config.validates) == (base.dataset, base.validates):
        return config
    measured = {"pixel_mean", "pixel_std"} - changes.keys()  # on other images
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
