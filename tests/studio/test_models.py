"""Models are looked up in a list, cached, and read again when their weights change."""

import dataclasses
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from jaxquard.data.framing import AS_READ
from jaxquard.errors import DataError, RunError
from jaxquard.nn.model import count_parameters
from jaxquard.runs import models as trained
from jaxquard.runs import train
from jaxquard.runs.directory import Run
from jaxquard.studio import models
from jaxquard.studio.models import Shelf, Subject, learned, list_models
from jaxquard.studio.watch import Watch
from jaxquard.training.evaluation import log_probabilities

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 1), np.uint8)


@pytest.fixture
def shelf(root, monkeypatch):
    """A shelf with a capacity of two."""
    monkeypatch.setattr(models, "CAPACITY", 2)
    return Shelf(Watch(root), offline=True)


def test_every_network_is_listed_newest_run_first(root):
    for age, name in enumerate(("part", "slow", "fast")):
        os.utime(root / name / "config.toml", (1e9 - age, 1e9 - age))
    found = [line for line in list_models(root) if not line["shipped"]]
    assert [line["model"] for line in found] == ["part", "slow@0", "slow@1", "slow@all", "fast@0", "fast@1", "fast@all"]
    titles = [line["title"] for line in found]
    assert (titles[:2], titles[3]) == (["part", "slow, network 0 (seed 0)"], "slow, average of 2 networks")
    assert {line["parameters"] for line in found} == {36 * 5 + 5 + 5 * 3 + 3}
    assert found[0]["parameters"] == count_parameters(trained.load_model("part", root).weights[0])
    assert [(line["classes"], line["image"], line["shipped"]) for line in found[:1]] == [
        (["0", "1", "2"], [6, 6, 1], False)
    ]


def test_the_list_says_which_networks_take_pictures_as_a_whole(root):
    run = Run(root / "part")
    facts = run.environment["dataset"]
    folder = facts | {"framing": AS_READ.to_dict()}
    assert [models.describe("part", run.config, one)["as_read"] for one in (facts, folder)] == [False, True]


def test_a_damaged_run_is_left_out(root, get):
    (root / "slow" / "environment.json").write_text("{")
    (root / "fast" / "config.toml").write_text("epochs = 0")
    assert [line["model"] for line in get("/api/models")["models"] if not line["shipped"]] == ["part"]


def test_a_shipped_model_is_listed_and_loaded(root, shelf, tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    trained.save_file(trained.load_model("slow@1", root), tmp_path / "models" / "tiny.safetensors")
    monkeypatch.setattr(trained.resources, "files", lambda package: tmp_path)
    assert list_models(root)[-1]["shipped"]
    assert list_models(root)[-1]["model"] == "tiny"
    subject = shelf.take("tiny")
    assert subject.model.run is None
    assert shelf.take("tiny") is subject


def test_the_least_recently_used_model_is_dropped(shelf):
    first = shelf.take("slow@0")
    assert shelf.take("slow@0") is first
    shelf.take("slow@1")
    assert shelf.take("slow@0") is first
    shelf.take("fast@0")
    shelf.take("fast@1")
    assert shelf.take("slow@0") is not first


def test_a_new_checkpoint_is_seen(shelf, root, stripes):
    before = shelf.take("part")
    train.resume(Run(root / "part"), stripes)
    after = shelf.take("part")
    assert after is not before
    assert not np.array_equal(after.model.weights[0][0]["w"], before.model.weights[0][0]["w"])
    assert shelf.take("part") is after


def test_a_run_that_replaces_another_is_seen(shelf, root):
    assert shelf.take("slow@0").model.config.learning_rate == 0.01
    shutil.rmtree(root / "slow")
    with pytest.raises(HTTPException):
        shelf.take("slow@0")
    shutil.copytree(root / "fast", root / "slow")
    assert shelf.take("slow@0").model.config.learning_rate == 0.3


def test_the_average_of_a_run_is_a_model_without_inside_view(get, ask, post, root):
    each = [np.exp(log_probabilities(one.logits(IMAGES))) for one in trained.models_of_run(Run(root / "slow"))]
    answer = post("/api/predict", {"model": "slow@all", "pixels": IMAGES[..., 0].tolist()}).json
    found = [list(one["probabilities"].values()) for one in answer["predictions"]]
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-6)
    assert get("/api/models/slow@all/summary?on=test")["n"] == 40
    assert Run(root / "slow").evaluations()[-1]["model"] == "slow@all"
    for view in ("images/0", "neurons", "neurons/0/0"):
        refused = ask("GET", f"/api/models/slow@all/{view}")
        assert (refused.status, "name one of them to look inside" in refused.json["error"]) == (409, True)


def test_a_network_that_diverged_has_no_part_in_the_average(root, shelf):
    with open(Run(root / "slow").journal_file, "a", encoding="utf-8") as journal:
        journal.write('{"event":"diverged","step":9,"network":1}\n')
    assert "slow@all" not in [line["model"] for line in list_models(root)]
    with pytest.raises(HTTPException):
        shelf.take("slow@all")


@pytest.mark.parametrize(
    "name", ["slow", "slow@2", "slow@", "part@0", "part@all", "", "..", "slow@0/..", "../runs/part", "part\0"]
)
def test_a_model_outside_the_list_is_refused(shelf, name):
    with pytest.raises(HTTPException) as caught:
        shelf.take(name)
    assert (caught.value.status_code, "GET /api/models" in caught.value.detail) == (404, True)


def test_a_missing_checkpoint_is_reported_without_its_folder(root, ask):
    shutil.rmtree(root / "part" / "checkpoints")
    answer = ask("GET", "/api/models/part/neurons")
    assert answer.status == 409
    assert "no sound checkpoint" in answer.json["error"]
    assert str(root) not in answer.json["error"]


def test_other_data_under_the_same_name_is_refused(shelf):
    found = shelf.take("slow@0")
    model = dataclasses.replace(found.model, dataset=found.model.dataset | {"sha256": {"x": "0"}})
    with pytest.raises(DataError, match="is no longer the data that slow@0 was trained on"):
        _ = Subject(model, shelf._dataset, set()).dataset


def test_a_result_is_computed_once_for_many_threads(subject):
    seen, calls = subject(hidden=()), []

    def slowly(subject: Subject, what: int) -> int:
        calls.append(what)
        return sum(range(100_000)) + what

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda k: seen.once(slowly, k % 2), range(40)))
    assert sorted(calls) == [0, 1]
    assert len(set(found)) == 2


def test_a_failed_result_is_computed_again(subject):
    seen, faults = subject(hidden=()), [RunError("not now")]

    def once_wrong(subject: Subject) -> str:
        if faults:
            raise faults.pop()
        return "now"

    with pytest.raises(RunError):
        seen.once(once_wrong)
    assert seen.once(once_wrong) == "now"


def test_held_out_images_were_not_learned_from(subject):
    everything = learned(subject(hidden=()), 1000)
    assert everything.tolist() == list(range(120))
    some = learned(subject(hidden=(), validation=30), 20)
    assert (len(some), len(set(some.tolist()))) == (20, 20)
    assert set(some) <= set(learned(subject(hidden=(), validation=30), 90))


def test_own_validation_images_are_the_held_out_part(subject, stripes):
    own = dataclasses.replace(stripes, val_images=stripes.test_images[:9], val_labels=stripes.test_labels[:9])
    part = subject(own, hidden=()).part("held_out")
    assert part.indices is None
    np.testing.assert_array_equal(part.images, own.val_images)
    assert len(subject(own, hidden=()).part("learned").labels) == 120


def test_a_recorded_use_of_the_test_set_stays_known_after_the_model_was_dropped(get, root):
    before = len(Run(root / "fast").evaluations())
    for name in ("fast@1", "fast@0", "slow@0", "slow@1", "part", "fast@1"):  # four are kept
        get(f"/api/models/{name}/images?limit=1&on=test")
    assert [line["model"] for line in Run(root / "fast").evaluations()[before:]] == ["fast@1", "fast@0"]
