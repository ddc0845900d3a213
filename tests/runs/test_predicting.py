"""Predicting many pictures: the files of a folder, their order, and unreadable pictures."""

import csv

import numpy as np
import pytest
from PIL import Image

from jaxquard.runs import models, predicting
from jaxquard.runs.predicting import Predictions, answer, find_pictures, predict
from jaxquard.systems import WINDOWS


@pytest.fixture(scope="module")
def model(trained):
    return models.load_model("whole", trained.run.path.parent)


def test_a_folder_gives_its_pictures_in_natural_order(tmp_path):
    pictures = ["1.png", "2.JPG", "10.png", "a2b1.tif", "a2b10.tif", "a10.webp", "B.gif", "c.heic"]
    for name in [*reversed(pictures), ".hidden.png", ".DS_Store", "Thumbs.db", "notes.txt", "png"]:
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png/inside.png").touch()
    found, notes = find_pictures([tmp_path / "x.txt", tmp_path])
    assert [path.name for path in found] == ["x.txt", *pictures]
    (tmp_path / "empty").mkdir()
    assert find_pictures([str(tmp_path / "empty")])[0] == [tmp_path / "empty"]
    assert notes == [f"{tmp_path}: left out 6 of 14 entries: folders, hidden files or other files than pictures"]


def test_unreadable_pictures_do_not_affect_others_and_few_are_in_memory_at_a_time(
    model, stripes, tmp_path, monkeypatch
):
    files, sizes = [], []
    for k, image in enumerate(stripes.test_images[:7, ..., 0]):
        Image.fromarray(image).save(tmp_path / f"{k}.png")
        files += [tmp_path / f"{k}.png", tmp_path / f"none{k}.png"]
    alone = [one for file in files for one in predict(model, [file])]
    monkeypatch.setattr(predicting, "CHUNK", 3)
    monkeypatch.setattr(
        type(model), "answers", lambda self, images: (sizes.append(len(images)), self.logits(images))[1]
    )
    seen = []
    found = list(predict(model, files, progress=lambda *counts: seen.append(counts)))
    assert [one.file for one in found] == [str(file) for file in files]
    assert [bool(one.error) for one in found] == [False, True] * 7
    assert [one.label for one in found] == [one.label for one in alone]
    assert sum(sizes) == 7
    assert max(sizes) == 2
    assert seen == [(k, 14) for k in range(1, 15)]


def test_only_unreadable_pictures(model, tmp_path):
    (one,) = predict(model, [tmp_path / "none.png"])
    found = Predictions(model, [one], [])
    assert found.to_dicts() == [{"file": one.file, "error": f"{one.file}: no such file"}]
    assert found.to_csv().splitlines() == ["file,label,probability,0,1,2", f"{one.file},,,,,"]


@pytest.mark.posix
def test_a_link_to_nothing_is_a_picture_that_is_missing(tmp_path):
    (tmp_path / "link.png").symlink_to("nowhere")
    assert find_pictures([tmp_path])[0] == [tmp_path / "link.png"]


def test_the_table_has_every_probability_and_is_read_back(model, stripes, tmp_path):
    names = ["a,b.png"] if WINDOWS else ["a,b.png", 'quoted".png', "new\nline.png"]
    for name, image in zip(names, stripes.test_images[..., 0], strict=False):
        Image.fromarray(image).save(tmp_path / name, "PNG")
    found = Predictions(model, list(predict(model, [tmp_path / name for name in names])), [])
    rows = list(csv.DictReader(found.to_csv().splitlines(keepends=True)))
    for row, document, one in zip(rows, found.to_dicts(), found, strict=True):
        assert (row["file"], row["label"], float(row["probability"])) == (one.file, one.label, one.probability)
        assert {name: float(row[name]) for name in "012"} == one.probabilities == document["probabilities"]
        assert (document["step"], document["epoch"]) == (18, 3)
        assert "error" not in document


def test_a_network_that_diverged_has_no_prediction():
    found = answer(np.array([np.nan, 1]), ("a", "b"))
    assert found == {"label": None, "class_index": None, "probability": None, "probabilities": {"a": None, "b": None}}
