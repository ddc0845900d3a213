"""Runs a lesson. The result is plain data, from which charts and page are drawn."""

import ast
import hashlib
import inspect
import json
import sys
import textwrap
import time
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxquard.errors import DataError, JaxquardError, UsageError
from jaxquard.lessons.experiment import ScaleName, as_data
from jaxquard.lessons.lesson import Lesson

if TYPE_CHECKING:
    from jaxquard.data import Dataset
    from jaxquard.lessons.lab import Tick

Result = dict[str, Any]


def run(name: str, lesson: Lesson, scale_name: ScaleName, dataset: "Dataset", tick: "Tick | None" = None) -> Result:
    """Train what the lesson needs, and decide the claim. The result is ready for JSON. Raises UsageError."""
    from jaxquard.lessons.lab import Lab
    from jaxquard.runs.environment import describe

    scale = lesson.scales[scale_name]
    needed = scale.train + scale.validation
    if needed > len(dataset.train_images):
        raise UsageError(
            f"{name}: needs {needed:,} training images, and {dataset.name} has {len(dataset.train_images):,}"
        )
    began = time.perf_counter()
    configs = lesson.configs(scale)
    measured = as_data(lesson.measure(Lab(dataset, scale, tick or (lambda label, done: None)), configs))
    raw = {
        "lesson": name,
        "scale": {"name": scale_name, **vars(scale)},
        "definition": definition(lesson, scale_name),
        "configs": {label: config.to_dict() for label, config in configs.items()},
        "seconds": round(time.perf_counter() - began, 2),
        "environment": describe(dataset),
        "measured": measured,
    }
    return with_verdict(lesson, raw)


def with_verdict(lesson: Lesson, raw: Result) -> Result:
    """The figures with the lesson's present words and the verdict of its present rule."""
    finding = lesson.conclude(raw["measured"])
    found = {
        "question": lesson.question,
        "claim": lesson.claim,
        "source": lesson.source,
        "comparisons": [part.as_dict() for part in finding.comparisons],
        "verdict": finding.verdict,
        "answer": finding.answer,
        "facts": finding.facts,
        "note": finding.note,
    }
    return found | raw | found


def definition(lesson: Lesson, scale_name: ScaleName) -> str:
    """A hash of what decides the figures: configs, scale and measuring code. Texts do not change it."""
    from jaxquard.lessons.lab import Lab

    scale = lesson.scales[scale_name]
    configs = {label: config.in_effect() for label, config in lesson.configs(scale).items()}
    described = json.dumps([vars(scale), configs, used(lesson.measure, Lab)], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def used(*things: Any) -> dict[str, Any]:
    """The syntax of functions and classes, and of all code of the lessons that they use; the values of constants."""
    found, waiting = dict[str, Any](), list(things)
    while waiting:
        thing = waiting.pop()
        name = f"{thing.__module__}.{thing.__qualname__}"
        if name in found:
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
        found[name] = syntax(tree)
        around = vars(sys.modules[thing.__module__])
        for node in ast.walk(tree):
            value = around.get(node.id) if isinstance(node, ast.Name) else None
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                value = getattr(around.get(node.value.id), node.attr, None)  # a function of a module
            if isinstance(value, int | float | str | tuple | dict):
                found[f"{thing.__module__}.{ast.unparse(node)}"] = repr(value)
            elif (getattr(value, "__module__", None) or "").startswith("jaxquard.lessons"):
                waiting.append(value)
    return found


def syntax(node: Any) -> Any:
    """A syntax tree as plain data without comments, layout and docstrings, the same on every version of Python."""
    if isinstance(node, list):
        return [syntax(item) for item in node if not _is_docstring(item)]
    if isinstance(node, ast.AST):
        fields = ast.iter_fields(node)
        return {type(node).__name__: {name: syntax(value) for name, value in fields if value not in (None, [])}}
    return repr(node)


def _is_docstring(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def guess(result: Result, lesson: Lesson, letter: str) -> dict[str, Any]:
    """A prediction and whether it was right (None where the figures cannot tell)."""
    answer = result["answer"]
    right = None if answer is None else answer == letter
    return {"choice": letter, "text": lesson.choices[letter], "right": right}


def to_json(result: Result) -> bytes:
    """JSON with one key a line, and the figures of each arm on one line: small, and a diff is readable."""
    lines = ",\n".join(f"{json.dumps(key)}: {_compact(value)}" for key, value in result.items() if key != "measured")
    measured = ",\n".join(f"  {json.dumps(key)}: {_compact(value)}" for key, value in result["measured"].items())
    return f'{{\n{lines},\n"measured": {{\n{measured}\n}}\n}}\n'.encode()


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def read(path: Path, lesson: Lesson) -> Result:
    """A stored result, with the verdict of the present rule. Raises DataError."""
    try:
        return with_verdict(lesson, json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise JaxquardError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"{path}: not the result of this lesson; run it again with --overwrite") from error


def shipped(name: str) -> Result | None:
    """The result that ships with the package, from a --full run; None if there is none."""
    file = resources.files("jaxquard.lessons") / "results" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def facts_of(result: Result) -> dict[str, Any]:
    """What {braces} in a lesson's texts may name: the scale's fields, and the facts that `conclude` found."""
    scale = {key: f"{value:,}" if isinstance(value, int) else value for key, value in result["scale"].items()}
    return scale | result["facts"]
