"""Runs side by side, and the plain word: larger than the noise, within it, or not to be told."""

import pytest

from jaxquard.runs import journal
from jaxquard.runs.directory import Run
from jaxquard.studio.comparing import AMOUNTS, SAME, SEEDS, by_test, word


def test_two_runs(get):
    found = get("/api/compare?run=slow&run=fast")
    assert found["settings"] == [{"name": "learning_rate", "values": [0.01, 0.3]}]
    assert [one["run"] for one in found["runs"]] == ["slow", "fast"]
    assert [one["name"] for one in found["charts"]] == ["accuracy", "loss"]
    assert found["verdict"].startswith("By validation accuracy, fast comes first; the best leads the next by ")


@pytest.mark.parametrize(
    ("status", "query"),
    [
        (422, ""),
        (422, "?run=slow"),
        (422, "?run=slow&run=slow"),
        (422, "?" + "&".join(["run=slow"] * 20)),
        (404, "?run=slow&run=none"),
        (404, "?run=slow&run=../runs/fast"),
    ],
)
def test_what_cannot_be_compared(ask, status, query):
    assert ask("GET", f"/api/compare{query}").status == status


def noted(root, name: str, *accuracies: float, split: str = "val") -> Run:
    """A run that came to these accuracies at last, one for each of its networks."""
    run, value = Run(root / name), list(accuracies) if len(accuracies) > 1 else accuracies[0]
    if split == "val":
        journal.append(run.journal_file, {"epoch": 4, "step": 99, "val_accuracy": value})
    else:
        run.evaluations_file.write_text("")
        journal.append(run.evaluations_file, {"by": "train", "accuracy": value})
    return run


def test_a_difference_larger_than_the_noise(root):
    runs = [noted(root, "slow", 0.80, 0.81), noted(root, "fast", 0.90, 0.911)]
    assert word(runs, ["learning_rate"]).endswith("over 2 seeds: larger than the noise.")


def test_an_evaluation_made_again_counts_for_the_first(root):
    """As `figures` has it: a run that was killed at its end is judged once more."""
    run = noted(root, "slow", 0.9, 0.8, split="test")
    journal.append(run.evaluations_file, {"by": "train", "accuracy": [0.5, 0.4]})
    journal.append(run.evaluations_file, {"by": "evaluate", "accuracy": [0.1, 0.1]})
    [row] = by_test([run])
    assert row["val_accuracy"]["values"] == [0.5, 0.4]


def test_a_difference_within_the_noise(root):
    runs = [noted(root, "slow", 0.80, 0.81), noted(root, "fast", 0.90, 0.801)]
    assert word(runs, ["learning_rate"]).endswith("over 2 seeds: within the noise, not a win.")


def test_other_seeds_are_no_difference(root):
    assert word([Run(root / "slow"), Run(root / "fast")], ["seed", "recipe"]) == SEEDS


def test_runs_that_nothing_tells_apart(root):
    assert word([Run(root / "slow"), Run(root / "fast")], ["recipe"]) == SAME


def held_out(root, name: str, setting: str) -> Run:
    """A run that was to hold out so many images: a line of its config, or none."""
    run = Run(root / name)
    file = run.path / "config.toml"
    file.write_text(file.read_text().replace("validation = 20\n", setting))
    return Run(run.path)


def test_other_numbers_of_held_out_images_are_a_difference(root):
    noted(root, "slow", 0.80, 0.81)
    noted(root, "fast", 0.90, 0.911)
    runs = [Run(root / "slow"), held_out(root, "fast", "validation = 10\n")]
    said = word(runs, ["validation", "pixel_mean", "pixel_std"])
    assert said.startswith("By validation accuracy, fast comes first; ")
    assert said.endswith(AMOUNTS)


def test_nothing_held_out_is_nothing_in_either_spelling(root):
    runs = [held_out(root, "slow", ""), held_out(root, "fast", "validation = 0\n")]
    assert word(runs, ["validation"]) == SAME


def test_other_pixel_statistics_are_a_difference(root):
    runs = [noted(root, "slow", 0.80, 0.81), noted(root, "fast", 0.90, 0.911)]
    assert word(runs, ["pixel_mean"]) not in (SAME, SEEDS)


def test_without_held_out_data_the_test_set_is_the_measure(root):
    runs = [noted(root, "part", 0.8, split="test"), noted(root, "fast", 0.9, 0.91, split="test")]
    assert word(runs, ["hidden"]) == (
        f"By test accuracy, fast comes first; one seed cannot tell a win from noise: add --seeds 5. {AMOUNTS}"
    )


def test_a_run_that_lost_a_network_does_not_come_first(root):
    runs = [noted(root, "part", 0.95, None, split="test"), noted(root, "fast", 0.9, 0.91, split="test")]
    assert word(runs, ["hidden"]).startswith("By test accuracy, fast comes first;")


def test_a_run_that_lost_all_of_few_networks_comes_after_one_that_lost_some_of_many(root):
    runs = [
        noted(root, "part", None, None, split="test"),
        noted(root, "fast", 0.9, 0.9, None, None, None, split="test"),
    ]
    assert word(runs, ["hidden"]).startswith("By test accuracy, fast comes first;")


def test_too_early_to_tell(root):
    assert word([Run(root / "part"), Run(root / "part")], ["hidden"]).startswith("Too few of them have been judged yet")
