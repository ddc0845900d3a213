"""Checkpoints are read back bit for bit, damage anywhere is detected, and only the newest two are kept."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.errors import RunError
from jaxquard.runs import checkpoint

TREE = {"w": jnp.arange(300.0).reshape(20, 15), "step": jnp.int32(3)}


def steps(folder) -> list[int]:
    return [int(path.name.removeprefix("step-")) for path in checkpoint.listed(folder)]


def test_comes_back_bit_for_bit(tmp_path):
    checkpoint.write(tmp_path, 3, TREE)
    arrays, faults = checkpoint.newest(tmp_path)
    assert faults == []
    assert arrays["w"].tobytes() == np.asarray(TREE["w"]).tobytes()
    assert arrays["step"] == 3


def test_keeps_the_newest_two(tmp_path):
    kept = []
    for step in (0, 10, 20, 30):
        checkpoint.write(tmp_path, step, TREE)
        kept.append(steps(tmp_path))
    assert kept == [[0], [0, 10], [10, 20], [20, 30]]


@pytest.mark.parametrize(
    "name", ["step-000000020-keep", "step-20", "step-backup", "step-00000002x", ".tmp-1-step-000000020"]
)
def test_a_folder_of_another_name_is_left_alone(tmp_path, name):
    mine = tmp_path / name / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("precious")
    for step in (0, 10, 20):
        checkpoint.write(tmp_path, step, TREE)
    checkpoint.drop_newer(tmp_path, 10)
    assert steps(tmp_path) == [10]
    assert checkpoint.newest(tmp_path)[1] == []
    assert mine.read_text() == "precious"


def test_writing_a_step_again_changes_nothing(tmp_path):
    checkpoint.write(tmp_path, 3, TREE)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    checkpoint.write(tmp_path, 3, TREE)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_every_byte_of_the_manifest_and_of_the_header_counts(tmp_path):
    checkpoint.write(tmp_path, 3, TREE)
    folder = tmp_path / "step-000000003"
    state = (folder / checkpoint.STATE).read_bytes()
    header = 8 + int.from_bytes(state[:8], "little")
    for name, size in ((checkpoint.MANIFEST, None), (checkpoint.STATE, header)):
        file = folder / name
        sound = file.read_bytes()
        for offset in range(len(sound) if size is None else size):
            for mask in (0x01, 0x20, 0xFF):
                file.write_bytes(sound[:offset] + bytes([sound[offset] ^ mask]) + sound[offset + 1 :])
                with pytest.raises(RunError, match=name):
                    checkpoint.read(folder)
        file.write_bytes(sound)
    checkpoint.read(folder)


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, None])
def test_a_file_that_is_no_manifest_is_detected(tmp_path, damage):
    checkpoint.write(tmp_path, 3, TREE)
    file = tmp_path / "step-000000003" / checkpoint.MANIFEST
    file.unlink()
    if damage is not None:
        file.write_bytes(damage)
    with pytest.raises(RunError, match=r"manifest\.json: (damaged|missing)"):
        checkpoint.read(file.parent)


WRONG = [{"step": step} for step in ("3", True, 3.0, None, [3])]
WRONG += [{"seconds": seconds} for seconds in ("3", -1, None, [3], {})]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_manifest_with_right_hashes_but_wrong_contents_is_detected(tmp_path, wrong):
    checkpoint.write(tmp_path, 3, TREE)
    file = tmp_path / "step-000000003" / checkpoint.MANIFEST
    facts = json.loads(file.read_bytes())
    del facts["self"]
    file.write_bytes(checkpoint._manifest(facts | wrong))
    with pytest.raises(RunError, match="damaged"):
        checkpoint.read(file.parent)


def test_a_checkpoint_under_another_name_is_detected(tmp_path):
    checkpoint.write(tmp_path, 3, TREE)
    (tmp_path / "step-000000003").rename(tmp_path / "step-000000009")
    with pytest.raises(RunError, match="damaged"):
        checkpoint.newest(tmp_path)


def test_the_one_before_a_damaged_one_is_used_and_the_damage_named(tmp_path):
    for step in (1, 2, 3):
        checkpoint.write(tmp_path, step, TREE | {"step": jnp.int32(step)})
    (tmp_path / "step-000000003" / checkpoint.STATE).write_bytes(b"")
    arrays, faults = checkpoint.newest(tmp_path)
    assert arrays["step"] == 2
    assert len(faults) == 1
    assert "step-000000003" in faults[0]
    for step in (2, 5):
        checkpoint.drop_newer(tmp_path, step)
        assert steps(tmp_path) == [2]


def test_a_missing_last_checkpoint_is_detected(tmp_path):
    checkpoint.write(tmp_path, 3, TREE)
    assert checkpoint.newest(tmp_path, 3)[1] == []
    (fault,) = checkpoint.newest(tmp_path, 5)[1]
    assert fault == f"{tmp_path / 'step-000000005'}: missing"


def test_no_sound_checkpoint_is_an_error(tmp_path):
    with pytest.raises(RunError, match="no sound checkpoint"):
        checkpoint.newest(tmp_path)
