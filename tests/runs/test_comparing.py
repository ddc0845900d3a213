"""Runs side by side, and the verdict: larger than the noise, within it, or no winner."""

import json
from pathlib import Path

import pytest
import tomli_w

from jaxquard.config import Config
from jaxquard.errors import RunError
from jaxquard.runs.comparing import AMOUNTS, SAME, SEEDS, compare
from jaxquard.runs.directory import FORMAT, Run

TWO = Config(validation=20, seeds=2, learning_rate=0.1)
OTHER = TWO.replace(learning_rate=0.2)


@pytest.fixture
def made(tmp_path: Path):
    """`made(name, config, validation, test)`: a run with these accuracies, one for each network."""

    def make(name: str, config: Config, validation=None, test=None, *, data: str = "a", ended: bool = True) -> Run:
        run = Run(tmp_path / name)
        run.path.mkdir()
        (run.path / "config.toml").write_text(tomli_w.dumps(config.to_dict()))
        facts = {"name": data, "sha256": {"x": data}, "class_names": ["0", "1"], "image_shape": [2, 2, 1]}
        environment = {"format": FORMAT, "dataset": facts | {"train": 100, "test": 10}}
        (run.path / "environment.json").write_text(json.dumps(environment))
        lines = [{"epoch": 4, "step": 99, "train_loss": [0.5] * len(config.networks()), "seconds": 1.0}]
        lines[0] |= {} if validation is None else {"val_accuracy": validation}
        lost = [k for k, value in enumerate(test or []) if value is None]
        lines += [{"event": "diverged", "network": k, "step": 9} for k in lost]
        lines += [{"event": "finished", "step": 99}] if ended and len(lost) < len(config.networks()) else []
        run.journal_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        evaluations = [] if test is None else [{"by": "train", "accuracy": test}, {"by": "evaluate", "accuracy": [0.1]}]
        run.evaluations_file.write_text("".join(json.dumps(line) + "\n" for line in evaluations))
        return run

    return make


def said(*runs: Run) -> str:
    return compare(runs).verdict


@pytest.mark.parametrize(
    ("slow", "fast", "says"),
    [
        ([0.80, 0.81], [0.90, 0.911], "over 2 seeds: larger than the noise."),
        ([0.80, 0.81], [0.90, 0.801], "over 2 seeds: within the noise, not a win."),
    ],
)
def test_a_difference_is_larger_than_the_noise_or_not(made, slow, fast, says):
    verdict = said(made("slow", TWO, slow), made("fast", OTHER, fast))
    assert verdict.startswith("By validation accuracy, fast comes first; the best leads the next by ")
    assert verdict.endswith(says)


def test_networks_are_paired_by_their_seeds_whatever_the_order(made):
    """Seeds 1 and 2 are shared: there the lead is 10 points in both."""
    runs = [made("slow", TWO, [0.60, 0.80]), made("fast", OTHER.replace(seed=1, seeds=3), [0.90, 0.70, 0.80])]
    assert "20.00" not in said(*runs)
    assert "too many networks diverged" in said(*runs)  # one seed in common: no pairs, and no other seeds
    runs = [made("a", TWO.replace(seeds=3), [0.99, 0.60, 0.81]), made("b", OTHER.replace(seed=1), [0.70, 0.91])]
    assert "leads the next by 10.00 ± 0.00 points (95 % interval) over 2 seeds: larger" in said(*runs)


def test_runs_that_share_no_seed_are_compared_by_their_means(made):
    runs = [made("slow", TWO, [0.80, 0.82]), made("fast", OTHER.replace(seed=5, seeds=3), [0.90, 0.91, 0.92])]
    assert "leads the next by 10.00 ± 5.98 points (95 % interval) over 3 and 2 different seeds: larger" in said(*runs)


def test_runs_of_the_same_settings_are_seeds_of_one(made):
    runs = [made(f"slow{seed}", TWO.replace(seed=seed, seeds=1), [0.8 + seed / 1000]) for seed in range(2)]
    runs += [made(f"fast{seed}", OTHER.replace(seed=seed, seeds=1), [0.9 + seed / 1000]) for seed in range(2)]
    assert said(*runs).startswith(
        "By validation accuracy, fast0 and fast1 come first; the best leads the next by 10.00"
    )
    assert said(*runs[:2]) == SEEDS


def test_settings_without_effect_are_no_difference(made):
    plain = Config(learning_rate=0.1, temperature=3)
    runs = [made("a", plain, test=[0.8]), made("b", plain.replace(recipe="x", validation=0, temperature=4), test=[0.9])]
    assert said(*runs) == SAME
    assert [one.settings for one in compare(runs).runs] == [{"recipe": None}, {"recipe": "x"}]


def test_other_data_have_no_winner(made):
    runs = [made("a", TWO, [0.8, 0.8]), made("b", OTHER.replace(dataset="b.npz"), [0.9, 0.9], data="b")]
    assert said(*runs) == "No winner: they were trained on different data (a, b)."


@pytest.mark.parametrize("use", [{"scaled_from": 1}, {"by_class": True}])
def test_the_same_arrays_used_in_another_way_are_other_data(made, use):
    runs = [made("a", TWO, [0.8, 0.8]), made("b", OTHER, [0.9, 0.9])]
    file = runs[1].path / "environment.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps(facts | {"dataset": facts["dataset"] | use}))
    assert said(runs[0], Run(runs[1].path)).startswith("No winner: they were trained on different data")


def test_the_same_data_by_another_name_are_the_same(made):
    runs = [made("a", TWO, [0.8, 0.8]), made("b", TWO.replace(dataset="b.npz"), [0.8, 0.8])]
    assert said(*runs) == SAME
    assert compare(runs).runs[1].settings == {"dataset": "b.npz"}


def test_a_swept_setting_has_no_winner(made):
    swept = TWO.replace(sweep=(("learning_rate", (0.1, 0.3)),), seeds=1)
    runs = [made("a", TWO, [0.8, 0.8]), made("b", swept, [0.9, 0.9])]
    assert said(*runs) == "No winner: b swept learning_rate, so its networks differ by more than chance."
    assert [one.settings["learning_rate"] for one in compare(runs).runs] == [0.1, [0.1, 0.3]]
    single = TWO.replace(sweep=(("learning_rate", (0.1,)),))
    assert said(runs[0], made("c", single, [0.8, 0.8])) == SAME


def test_if_a_run_held_out_no_images_the_test_set_decides_and_a_sentence_says_so(made):
    runs = [made("a", Config(), test=[0.8]), made("b", OTHER, [0.9, 0.9], [0.95, 0.9])]
    assert said(*runs) == (
        "a held out no images, so the test set decides; the best run's test accuracy is then optimistic. "
        f"By test accuracy, b comes first; one seed is too few to separate a win from noise: add --seeds 5. {AMOUNTS}"
    )


def test_a_run_that_lost_networks_does_not_come_first(made):
    some = made("some", OTHER.replace(validation=0, seeds=5), test=[0.9, 0.9, None, None, None])
    assert "some comes first" in said(made("all", TWO.replace(validation=0), test=[None, None]), some)
    assert "whole comes first" in said(some, made("whole", TWO.replace(validation=0), test=[0.8, 0.8]))


def test_runs_without_an_accuracy_and_unfinished_runs_are_named(made):
    runs = [made("a", Config(), ended=False), made("b", OTHER, [0.9, 0.9], ended=False)]
    assert said(*runs) == "No winner yet: a and b have no test accuracy."
    assert said(runs[1], made("c", TWO, [0.8, 0.7])).endswith(" b has not finished.")


def test_an_evaluation_of_other_networks_is_damage(made):
    runs = [made("a", TWO.replace(validation=0), test=[0.8]), made("b", OTHER.replace(validation=0), test=[0.9, 0.9])]
    with pytest.raises(RunError, match="it evaluated 1 networks, but trains 2"):
        compare(runs)
