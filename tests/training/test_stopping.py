"""Early stopping: the kept epoch, the step of stopping, and losses that are not finite afterwards."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxquard.training.state import Totals, TrainState
from jaxquard.training.stopping import Stopping


@pytest.mark.parametrize(
    ("losses", "best_epoch", "stopped_at"),
    [
        ([3, 2, 1], 3, -1),
        ([3, 1, 2], 2, -1),
        ([1, 1, 1], 1, 15),  # as good is not better
        ([1, 2, 2, 0.5], 1, 15),  # it stopped after the third; later epochs do not count
        ([1, 2, 0.5, 2], 3, -1),
        ([np.nan, 2, np.nan], 2, -1),
        ([np.nan, np.nan], -1, 10),
    ],
)
def test_early_stopping_remembers_the_best(losses: list[float], best_epoch: int, stopped_at: int):
    stopping = Stopping.start([{"w": jnp.array([-1.0])}], {})
    largest = float(stopping.best_loss)
    for epoch, loss in enumerate(losses, 1):
        weights = [{"w": jnp.array([float(epoch)])}], {}
        numbers = (jnp.float32(loss), jnp.int32(epoch), jnp.int32(5 * epoch))
        stopping = stopping.end_epoch(*numbers, weights, jnp.int32(2))
    assert (int(stopping.best_epoch), int(stopping.stopped_at)) == (best_epoch, stopped_at)
    assert float(stopping.params[0]["w"][0]) == best_epoch
    assert float(stopping.best_loss) == (losses[best_epoch - 1] if best_epoch > 0 else largest)


@pytest.mark.parametrize(
    ("best_epoch", "stopped_at", "bad_step", "safe"),
    [
        (1, 15, -1, True),
        (1, 15, 15, True),  # the loss was not finite after it had stopped
        (1, 15, 14, False),
        (1, -1, -1, False),  # it still trains
        (-1, 10, -1, False),  # no epoch had a finite loss
    ],
)
def test_a_network_is_safe_once_it_has_stopped(best_epoch: int, stopped_at: int, bad_step: int, safe: bool):
    stopping = Stopping([1.0], [best_epoch], [stopped_at], [], {})  # type: ignore[arg-type]
    totals = Totals.zero(jnp.array([bad_step]))
    ts = TrainState([], {}, (), (), None, [0], {}, totals, stopping)  # type: ignore[arg-type]
    assert (ts.stopped.tolist(), ts.safe.tolist()) == ([stopped_at > 0], [safe])
    assert ts._replace(stopping=()).safe.tolist() == [False]
