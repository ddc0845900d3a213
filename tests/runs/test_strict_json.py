"""What JSON forbids or leaves open is refused with a ValueError, whatever it is."""

import pytest

from jaxquard.runs import strict_json


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
def test_refuses_everything_else(data):
    with pytest.raises(ValueError):  # noqa: PT011  the kinds of damage are many, their type is one
        strict_json.loads(data)
