"""After a source fails, the next one is used, and every file is verified."""

import gzip
import hashlib
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxquard.data import sources
from jaxquard.data.catalogue import File
from jaxquard.data.sources import Source, at_mirror, chain, gather, in_folder, verified
from jaxquard.errors import DataError

from .mirror import BAD, ignore


@pytest.mark.parametrize("manner", BAD)
def test_after_a_bad_mirror_the_next_is_used(
    manner: str, tiny, server, opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jaxquard.data.download.STALL_SECONDS", 0.1)
    mirrors = [at_mirror(server.mirror(name), ignore, opener) for name in (manner, "good")]
    cached = gather(tiny.entry, mirrors, ignore)
    assert cached.source == server.mirror("good")
    for file in tiny.entry.files:
        np.testing.assert_array_equal(cached.arrays[file.name], tiny.arrays[file.role])
        assert cached.sha256[file.name] == file.sha256


def test_a_mirror_that_stalls_is_waited_for_only_once(tiny, server, opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxquard.data.download.STALL_SECONDS", 0.1)
    mirrors = [at_mirror(server.mirror(name), ignore, opener) for name in ("stalled", "good")]
    assert gather(tiny.entry, mirrors, ignore).source == server.mirror("good")
    assert [path for path in server.asked if path.startswith("/stalled/")] == ["/stalled/train-images-idx3-ubyte.gz"]


def test_only_missing_files_are_requested(tiny, server, opener) -> None:
    """One mirror has the labels but not the images."""
    mirrors = [at_mirror(server.mirror(name), ignore, opener) for name in ("half", "good")]
    cached = gather(tiny.entry, mirrors, ignore)
    assert cached.source == f"{server.mirror('half')}, {server.mirror('good')}"
    assert [path for path in server.asked if path.startswith("/good/")] == [
        "/good/train-images-idx3-ubyte.gz",
        "/good/t10k-images-idx3-ubyte.gz",
    ]


def test_sources_after_the_first_good_one_are_not_created(tiny, tmp_path: Path) -> None:
    def lazily():
        yield in_folder(tiny.put(tmp_path / "here"))
        pytest.fail("used a later source")

    assert gather(tiny.entry, lazily(), ignore).source == str(tmp_path / "here")


def test_progress_names_the_file(tiny, server, opener) -> None:
    reported = set()
    mirror = at_mirror(server.mirror("good"), lambda name, done, total: reported.add((name, total)), opener)
    gather(tiny.entry, [mirror], ignore)
    assert reported == {(name, len(data)) for name, data in tiny.gzipped.items()}


def test_if_all_sources_fail_each_is_reported(tiny, server, opener, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    every = [
        in_folder(tmp_path / "none"),
        in_folder(tmp_path / "empty"),
        at_mirror(server.mirror("wrong"), ignore, opener),
        at_mirror("https://dead.example/", ignore, opener, "Name or service not known"),
        Source("the package", lambda: nullcontext(ignore_file)),
    ]
    reports: list[str] = []
    with pytest.raises(DataError) as caught:
        gather(tiny.entry, every, reports.append)
    assert str(caught.value).splitlines() == [
        "Tiny is not available from any source:",
        f"  {tmp_path}/none: no such folder",
        f"  {tmp_path}/empty: train-images-idx3-ubyte is not there",
        f"  {server.mirror('wrong')}: train-images-idx3-ubyte.gz: not the expected file (wrong SHA-256)",
        "  https://dead.example/: Name or service not known",
        "  the package: on strike",
    ]
    assert reports == [f"trying {place}" for place in (tmp_path / "empty", server.mirror("wrong"), "the package")]


def ignore_file(file: File) -> bytes:
    raise DataError("on strike")


def test_debian_s_package_is_a_source(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.put(tmp_path / "usr/share/datasets/tiny")
    monkeypatch.setattr(sources.debian, "unpacked", lambda package: nullcontext(tmp_path))
    assert gather(tiny.entry, [sources.in_debian("dataset-tiny")], ignore).source == "Debian's package dataset-tiny"
    (tmp_path / "usr/share/datasets/tiny/t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="dataset-tiny: t10k-labels-idx1-ubyte is not in the package"):
        gather(tiny.entry, [sources.in_debian("dataset-tiny")], ignore)


def test_the_order_of_the_chain(tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "unreachable", lambda mirrors: {"https://b.example/": "dead"})
    entry = tiny.at("https://a.example/", "https://b.example/", debian_package="dataset-tiny")
    folders = [tmp_path / "one", tmp_path / "two"]
    every = list(chain(entry, folders, offline=False, report=ignore, progress=ignore))
    assert [source.label for source in every] == [*map(str, folders), *entry.mirrors, "Debian's package dataset-tiny"]
    assert [source.unusable for source in every] == ["no such folder", "no such folder", "", "dead", ""]
    offline = chain(entry, folders, offline=True, report=ignore, progress=ignore)
    assert [source.label for source in offline] == [*map(str, folders)]


def test_where_only_the_served_file_s_hash_is_known(tiny, tmp_path: Path) -> None:
    file, name = tiny.entry.files[0], "train-images-idx3-ubyte"
    served = hashlib.sha256(tiny.gzipped[f"{name}.gz"]).hexdigest()
    file = replace(file, sha256="", served_sha256=served)
    values, digest = verified(file, tiny.gzipped[f"{name}.gz"])
    np.testing.assert_array_equal(values, tiny.arrays["train_images"])
    assert digest == hashlib.sha256(tiny.plain[name]).hexdigest()
    verified(file, tiny.put(tmp_path / "here") / f"{name}.gz")
    with pytest.raises(DataError, match="not the gzip file of its authors"):
        verified(file, gzip.compress(tiny.plain[name], 1))


def test_without_any_hash_the_count_must_be_right(tiny) -> None:
    file = replace(tiny.entry.files[1], sha256="", count=13)
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz: 12 examples, expected 13"):
        verified(file, tiny.gzipped["train-labels-idx1-ubyte.gz"])
