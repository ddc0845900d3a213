"""The cache of computed values. That damage and a read-only folder do no harm: tests/runs/test_teacher.py."""

import os

from jaxquard import kept


def test_the_most_recently_used_files_are_kept_and_leftovers_are_removed(tmp_path):
    place = tmp_path / "cache"
    for name in "abc":
        kept.keep(place / name, memoryview(bytes(800)), 3 * 1000)  # 832 bytes each
        os.utime(place / name, (ord(name), ord(name)))
    assert kept.read(place / "a") == bytes(800)
    left = place / f".tmp-{32 * 'a'}-x"
    left.write_bytes(b"")
    os.utime(left, (1, 1))
    kept.keep(place / "d", memoryview(bytes(800)), 3 * 1000)
    assert {file.name for file in place.iterdir()} == {"a", "c", "d"}
