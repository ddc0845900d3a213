"""Plain data can be written as JSON; everything that the standard forbids or leaves undefined is a ValueError."""

import numpy as np
import pytest

from jaxquard import strict_json
from jaxquard.runs.figures import Figure


def test_reads_what_json_allows():
    assert strict_json.loads(b"[9223372036854775807, -9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert strict_json.loads('{"a": [1, 2.5, null, true, "é"]}'.encode()) == {"a": [1, 2.5, None, True, "é"]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{} {}",
        b'{"a": 1, "a": 2}',
        b'[{"deep": {"a": 1, "a": 1}}]',
        b"NaN",
        b"[-Infinity]",
        b"1e999",
        b"-1e999",
        b"[" * 100_000,
        b"9" * 10_000,
        b"9223372036854775808",  # 2⁶³
        b"-" + b"1" * 30,
        b'"\xff"',
        "{}".encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"\0",
    ],
)
def test_everything_else_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011  the messages differ
        strict_json.loads(data)


def test_plain_data_can_be_written():
    measured = {"a": np.array([1.23456789, np.nan]), "b": (np.int32(3), None, True), 1: float("inf"), "c": "x"}
    assert strict_json.plain(measured) == {"a": [1.23456789, None], "b": [3, None, True], "1": None, "c": "x"}
    assert strict_json.plain(measured, 3)["a"] == [1.23, None]
    figures = strict_json.plain([Figure((0.5,)), Figure((0.5, None))])
    assert figures == [0.5, {"mean": 0.5, "std": None, "values": [0.5, None]}]
