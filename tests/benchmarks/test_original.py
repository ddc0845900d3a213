"""The goals of the original network's rows use the right peers, and only peers with the same work are compared."""

import pytest

from benchmarks.measures import original
from benchmarks.process import Outcome

SECONDS = dict.fromkeys(("ours", "batch 512", "fit", "cold", "warm", *original.PEERS), 1.0)


def outcomes(loss: float = 0.4, **changed: float) -> original.Outcomes:
    """One process of each, with a slow first epoch; at the floor of 272 GFLOP/s, an epoch takes 0.1 s."""
    seconds = SECONDS | changed
    made = {
        name: [Outcome(10 * s, 500.0, {"epoch_seconds": [99.0, s, s], "train_loss": [1.0, 0.4]})]
        for name, s in seconds.items()
    }
    made["Keras (JAX)"][0].report["train_loss"][-1] = loss
    return made | {"floor": [Outcome(1.0, 1.0, {"numpy": 272.2, "jax": 100.0})]}


def test_an_epoch_is_27_gflop_of_matrix_products():
    forward = 784 * 128 + 128 * 64 + 64 * 10
    backward = forward + 128 * 64 + 64 * 10
    assert original.gflop_an_epoch() == pytest.approx(2 * (forward + backward) * 468 * 128 / 1e9)


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({"ours": 0.3}, [True, True, True]),
        ({"ours": 0.3, "torch.compile": 0.7}, [False, True, True]),
        ({"ours": 0.3, "scikit-learn": 0.8}, [True, False, True]),
        ({"ours": 0.3, "Equinox": 0.2}, [True, True, False]),
        ({"ours": 0.3, "NumPy (Nielsen)": 0.2}, [True, True, True]),
    ],
)
def test_the_epochs_goals_are_set_by_pytorch_scikit_learn_and_the_jax_libraries(changed, kept):
    row, _ = original.epoch_rows(outcomes(**changed))
    assert [row.keeps(bound) for bound in row.bounds] == kept


def test_the_floor_is_the_best_product_of_the_run():
    small, large = original.floor_rows(outcomes(**{"ours": 0.15, "batch 512": 0.16}))
    assert small.ours.median == pytest.approx(1.5, rel=1e-3)
    assert (small.holds, large.holds) == (True, False)


def test_a_script_must_be_ahead_of_every_peers():
    cold, warm = original.script_rows(outcomes(cold=0.6, warm=0.4, Equinox=0.5))
    assert (cold.holds, warm.holds) == (False, True)


@pytest.mark.parametrize(("loss", "same"), [(0.4, True), (0.41, True), (0.39, True), (0.43, False), (0.37, False)])
def test_a_peer_with_another_loss_did_other_work(loss, same):
    if same:
        original.check_same_work(outcomes(loss))
    else:
        with pytest.raises(original.DifferentWork, match="Keras"):
            original.check_same_work(outcomes(loss))
