"""Ranking a sweep: best first, diverged networks last, and whether the lead is larger than the noise."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jaxquard.config import Config
from jaxquard.runs import figures, ranking
from jaxquard.runs.directory import Run


@pytest.fixture
def made(tmp_path: Path):
    """`made(name, config, lines)`: a run with this journal."""

    def make(name: str, config: Config, lines: list[dict]) -> Run:
        run = Run(tmp_path / name)
        run.path.mkdir()
        vars(run)["config"] = config
        run.journal_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return run

    return make


def rows(*columns: list[float | None]) -> list[dict]:
    return [{"val_accuracy": figures.Figure(tuple(values)), "seeds": range(len(values))} for values in columns]


@pytest.mark.parametrize(
    ("seeds", "right", "lost", "order", "means"),
    [
        (2, [0.5, 0.6, 0.8, 0.7, 0.9, 0.9], 5, [0.2, 0.1, 0.3], [0.75, 0.55, 0.9]),  # network 5 does not count
        (2, [0.5, 0.6, 0.9, 0.9], 3, [0.1, 0.2], [0.55, 0.9]),
        (1, [0.2, 0.99], 1, [0.1, 0.2], [0.2, None]),
    ],
)
def test_settings_are_ranked_by_diverged_networks_then_by_their_mean(made, seeds, right, lost, order, means) -> None:
    config = Config(sweep=(("learning_rate", tuple(sorted(order))),), seeds=seeds)
    lines = [{"event": "diverged", "network": lost}, {"epoch": 1, "val_accuracy": right}]
    ranked = ranking.ranking([made("r", config, lines)], ["learning_rate"])
    assert [row["settings"]["learning_rate"] for row in ranked] == order
    assert [row["val_accuracy"].mean for row in ranked] == [mean and pytest.approx(mean) for mean in means]
    first = sorted(order).index(order[0]) * seeds
    assert ranked[0]["networks"] == [f"r@{first + k}" for k in range(seeds)]


@pytest.mark.parametrize(
    ("runs", "order"),
    [
        ({32: [0.7], 64: [0.9]}, [["b64"], ["b32"]]),
        ({32: [0.8, 0.8, 0.8, None], 64: [0.9, None]}, [[f"b32@{k}" for k in range(4)], ["b64@0", "b64@1"]]),
    ],
)
def test_runs_of_other_shapes_are_ranked_by_the_share_not_the_number_of_diverged_networks(made, runs, order) -> None:
    compared = [
        made(
            f"b{size}",
            Config(batch_size=size, seeds=len(right)),
            [{"event": "diverged", "network": k} for k, value in enumerate(right) if value is None]
            + [{"epoch": 1, "val_accuracy": [0.1 if value is None else value for value in right]}],
        )
        for size, right in runs.items()
    ]
    ranked = ranking.ranking(compared, ["batch_size"])
    assert [row["networks"] for row in ranked] == order
    assert [row["settings"] for row in ranked] == [{"batch_size": int(names[0][1:3])} for names in order]


def test_under_early_stopping_the_best_epoch_counts_not_the_last(made) -> None:
    """Network 0 stops after epoch 2 and trains on with network 1; its later accuracies do not count."""
    config = Config(sweep=(("learning_rate", (0.1, 0.2)),), patience=1)
    curves = [
        ([0.9, 0.9], [0.6, 0.5]),
        ([1.0, 0.8], [0.5, 0.6]),
        ([0.1, 0.7], [0.99, 0.7]),
        ([0.1, 0.75], [0.99, 0.8]),
    ]
    lines = [
        {"epoch": k, "val_loss": loss, "val_accuracy": right, "best_epoch": [1, min(k, 3)]}
        for k, (loss, right) in enumerate(curves, start=1)
    ]
    ranked = ranking.ranking([made("r", config, lines)], ["learning_rate"])
    assert [row["val_accuracy"].values for row in ranked] == [(0.7,), (0.6,)]


def test_a_network_without_a_best_epoch_has_no_accuracy(made) -> None:
    lines = [{"epoch": 1, "val_loss": [None], "val_accuracy": [0.6], "best_epoch": [-1]}]
    assert figures.held_out_accuracy(made("r", Config(patience=2), lines), lines) == [None]


def test_runs_without_held_out_images_have_no_accuracies(made) -> None:
    runs = [made(name, Config(activation=name, seeds=2), [{"epoch": 1}]) for name in ("relu", "tanh")]
    assert [row["val_accuracy"].values for row in ranking.ranking(runs, ["activation"])] == [(None, None)] * 2


@pytest.mark.parametrize(
    ("best", "second", "says"),
    [
        ([0.90, 0.91, 0.92], [0.80, 0.81, 0.825], "larger than the noise"),
        ([0.90, 0.80, 0.85], [0.80, 0.88, 0.84], "within the noise"),
        ([0.90], [0.80], "one seed is too few"),
        ([0.90, None, 0.90], [0.80, 0.8, None], "too many networks diverged"),
    ],
)
def test_a_lead_is_larger_than_the_noise_or_not(best: list, second: list, says: str) -> None:
    assert says in ranking.verdict(rows(best, second))


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_the_interval_of_a_lead_is_students(seeds: int) -> None:
    best, second = np.random.default_rng(seeds).uniform(0.8, 0.9, (2, seeds))
    lead = 100 * (best - second)
    low, high = stats.t.interval(0.95, seeds - 1, np.mean(lead), stats.sem(lead))
    said = ranking.verdict(rows(best.tolist(), second.tolist()))
    assert f" {(low + high) / 2:.2f} ± {(high - low) / 2:.2f} points (95 % interval) over {seeds} seeds" in said


def test_the_interval_of_means_is_welchs() -> None:
    best, second = [0.90, 0.92, 0.95], [0.80, 0.85]
    interval = stats.ttest_ind(best, second, equal_var=False).confidence_interval(0.95)
    half = 50 * (interval.high - interval.low)
    [first, other] = rows(best, second)
    said = ranking.verdict([first, other | {"seeds": [7, 8]}])
    assert f" ± {half:.2f} points (95 % interval) over 3 and 2 different seeds" in said
