"""Ranking a sweep: best first, the diverged last, and a win smaller than the noise is called that."""

import numpy as np
import pytest
from scipy import stats

from jaxquard.config import Config
from jaxquard.runs import figures, ranking
from jaxquard.runs.directory import Run


class Made(Run):
    """A run with a journal that somebody made up."""

    def __init__(self, name: str, config: Config, lines: list[dict]) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "made_config", config)
        object.__setattr__(self, "lines", lines)

    id = property(lambda self: self.name)
    config = property(lambda self: self.made_config)

    def journal(self) -> list[dict]:
        return self.lines

    def epochs(self) -> list[dict]:
        return [line for line in self.lines if "event" not in line]


def rows(*columns: list[float | None]) -> list[dict]:
    return [{"val_accuracy": figures.Figure(tuple(values)), "seeds": range(len(values))} for values in columns]


def test_combinations_are_ranked_by_their_mean_over_seeds() -> None:
    config = Config(sweep=(("learning_rate", (0.1, 0.2, 0.3)),), seeds=2)
    lines = [{"event": "diverged", "network": 5}, {"epoch": 1, "val_accuracy": [0.5, 0.6, 0.8, 0.7, 0.9, 0.9]}]
    ranked = ranking.ranking([Made("r", config, lines)], ["learning_rate"])
    assert [row["settings"]["learning_rate"] for row in ranked] == [0.2, 0.1, 0.3]
    assert ranked[2]["val_accuracy"].values == (0.9, None)  # network 5 diverged: not counted
    assert ranked[0]["val_accuracy"].mean == pytest.approx(0.75)
    assert ranked[0]["networks"] == ["r@2", "r@3"]


def test_runs_that_differ_in_their_shape_are_ranked_together() -> None:
    runs = [
        Made(f"b{size}", Config(batch_size=size), [{"epoch": 1, "val_accuracy": [right]}])
        for size, right in ((32, 0.7), (64, 0.9))
    ]
    ranked = ranking.ranking(runs, ["batch_size"])
    assert [(row["settings"], row["networks"]) for row in ranked] == [
        ({"batch_size": 64}, ["b64"]),
        ({"batch_size": 32}, ["b32"]),
    ]


def test_under_early_stopping_the_best_epoch_counts_not_the_last() -> None:
    """Network 0 stops after epoch 2 and goes on only because network 1 does; what it has then is not what is kept."""
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
    ranked = ranking.ranking([Made("r", config, lines)], ["learning_rate"])
    assert [row["val_accuracy"].values for row in ranked] == [(0.7,), (0.6,)]


def test_the_fewer_diverged_the_better() -> None:
    config = Config(sweep=(("learning_rate", (0.1, 0.2)),), seeds=2)
    lines = [{"event": "diverged", "network": 3}, {"epoch": 1, "val_accuracy": [0.5, 0.6, 0.9, 0.9]}]
    ranked = ranking.ranking([Made("r", config, lines)], ["learning_rate"])
    assert [row["settings"]["learning_rate"] for row in ranked] == [0.1, 0.2]
    assert "too many networks diverged" in ranking.verdict(ranked)


def test_the_share_of_diverged_networks_counts_not_their_number() -> None:
    shapes, lost = {32: (4, [0.8, 0.8, 0.8, 0.1]), 64: (2, [0.9, 0.1])}, {"event": "diverged"}
    runs = [
        Made(
            f"b{size}",
            Config(batch_size=size, seeds=n),
            [lost | {"network": n - 1}, {"epoch": 1, "val_accuracy": right}],
        )
        for size, (n, right) in shapes.items()
    ]
    assert [row["networks"][0] for row in ranking.ranking(runs, ["batch_size"])] == ["b32@0", "b64@0"]


def test_a_network_without_a_best_epoch_has_no_figure() -> None:
    lines = [{"epoch": 1, "val_loss": [None], "val_accuracy": [0.6], "best_epoch": [-1]}]
    assert figures.held_out_accuracy(Made("r", Config(patience=2), lines), lines) == [None]


def test_a_run_that_held_nothing_out_has_nothing_to_rank() -> None:
    runs = [Made(name, Config(activation=name, seeds=2), [{"epoch": 1}]) for name in ("relu", "tanh")]
    assert [row["val_accuracy"].values for row in ranking.ranking(runs, ["activation"])] == [(None, None)] * 2


def test_all_diverged_comes_last() -> None:
    config = Config(sweep=(("learning_rate", (0.1, 9.0)),))
    lines = [{"event": "diverged", "network": 1}, {"epoch": 1, "val_accuracy": [0.2, 0.99]}]
    ranked = ranking.ranking([Made("r", config, lines)], ["learning_rate"])
    assert [row["val_accuracy"].mean for row in ranked] == [0.2, None]


@pytest.mark.parametrize(
    ("best", "second", "says"),
    [
        ([0.90, 0.91, 0.92], [0.80, 0.81, 0.825], "larger than the noise"),
        ([0.90, 0.80, 0.85], [0.80, 0.88, 0.84], "within the noise"),
        ([0.90], [0.80], "one seed is too few"),
        ([0.90, None, 0.90], [0.80, 0.8, None], "too many networks diverged"),
    ],
)
def test_a_win_smaller_than_the_noise_is_called_that(best: list, second: list, says: str) -> None:
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


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_the_quantiles_are_students(confidence: float) -> None:
    for degrees in range(1, 40):
        expected = stats.t.ppf((1 + confidence) / 2, degrees)
        assert figures.t_quantile(confidence, degrees) == pytest.approx(expected, abs=0.006)
