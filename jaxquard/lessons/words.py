"""Figures as they stand in sentences, and sentences with figures in their places."""

import math
from collections.abc import Mapping
from typing import Any

from jaxquard.lessons.verdict import interval


def show(value: float | None, digits: int = 2) -> str:
    """A figure for people, with a true minus sign, and none before nought."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:z.{digits}f}".replace("-", "−")


def spread(values: Any, digits: int = 1) -> str:
    """`86.3 ± 0.2`: mean and 99 % t interval over seeds."""
    mean, low, high = interval(values)
    return f"{show(mean, digits)} ± {show((high - low) / 2, digits)}"


def filled(text: str, facts: Mapping[str, Any]) -> str:
    """A lesson's words with its facts in their places, lines joined into paragraphs."""
    paragraphs = [part if "```" in part else " ".join(part.split()) for part in text.strip().split("\n\n")]
    return "\n\n".join(paragraphs).format_map(facts)
