"""The original training by all systems: an epoch, the whole script, its memory, and the distance from the limit."""

import statistics
from collections.abc import Iterable, Sequence
from itertools import pairwise

from benchmarks.arena import Arena
from benchmarks.peers.common import BATCH, SIZES
from benchmarks.process import Contestant, Outcome
from benchmarks.rows import Bound, Row, Spread, ahead_of_each

PEERS = {
    "PyTorch eager": "torch_eager",
    "torch.compile": "torch_compile",
    "PyTorch DataLoader": "torch_dataloader",
    "scikit-learn": "sklearn_mlp",
    "Keras (JAX)": "keras_jax",
    "Flax NNX": "flax_nnx",
    "Equinox": "equinox_mlp",
    "NumPy (Nielsen)": "numpy_nielsen",
}
PYTORCH = ("PyTorch eager", "torch.compile", "PyTorch DataLoader")
OTHER_JAX = ("Keras (JAX)", "Flax NNX", "Equinox")
ONCE = (*PEERS, "floor")
LOSS_TOLERANCE = 0.05  # of ours: two seeds of one program differ by up to 3 % after two epochs

Outcomes = dict[str, list[Outcome]]


class DifferentWork(Exception):
    """A peer's training loss differs from ours, so its time cannot be compared."""


def gflop_an_epoch(examples: int = 60_000, batch: int = BATCH, sizes: Sequence[int] = SIZES) -> float:
    """10⁹ operations of an epoch's matrix products: z and ∂L/∂W in each layer, ∂L/∂a in all but the first."""
    products = [2 * n * m for n, m in pairwise(sizes)]
    return (3 * sum(products) - products[0]) * (examples // batch * batch) / 1e9


def contestants(arena: Arena) -> dict[str, Contestant]:
    """The peers' programs, our script, our epoch measured like the peers', and the large matrix product."""
    options = ("--data", arena.data, "--epochs", str(arena.epochs))
    peers = {name: arena.program("-m", f"benchmarks.peers.{module}", *options) for name, module in PEERS.items()}
    return {
        "cold": lambda k: run_script(arena, k),
        "warm": lambda k: run_script(arena, k),  # again, with the caches of the cold start
        "ours": arena.program("-m", "benchmarks.ours.script", *options),
        "batch 512": arena.program("-m", "benchmarks.ours.script", *options, "--batch-size", "512"),
        "fit": arena.program(
            "-m", "benchmarks.ours.fit", "--data", arena.data, "--config", f'{{"epochs": {arena.epochs}}}'
        ),
        **peers,
        "floor": arena.program("-m", "benchmarks.floor"),
    }


def rows(outcomes: Outcomes) -> list[Row]:
    """Each process gives figures for several rows. Raises DifferentWork."""
    check_same_work(outcomes)
    return [*epoch_rows(outcomes), *floor_rows(outcomes), *script_rows(outcomes), memory_row(outcomes)]


def run_script(arena: Arena, k: int) -> Outcome:
    """The README's first command, in a folder for round k."""
    folder = arena.fresh("original", k)
    command = ("mlp_fashion_mnist.py", "--data-dir", folder / "data", "--offline", "--epochs", str(arena.epochs))
    return arena.run(command, folder / "cache")


def check_same_work(outcomes: Outcomes, peers: Iterable[str] = PEERS) -> None:
    """Raises DifferentWork if a peer's last training loss differs from ours by more than LOSS_TOLERANCE."""
    losses = {name: outcomes[name][0].report["train_loss"][-1] for name in ("ours", *peers)}
    for name, loss in losses.items():
        if abs(loss / losses["ours"] - 1) > LOSS_TOLERANCE:
            raise DifferentWork(f"{name} ends with a training loss of {loss:.4f}, ours with {losses['ours']:.4f}")


def epoch_seconds(outcomes: list[Outcome]) -> Spread:
    """Seconds of an epoch: the median of each process, without the first epoch, which compiles."""
    return Spread.of(statistics.median(outcome.report["epoch_seconds"][1:]) for outcome in outcomes)


def epoch_rows(outcomes: Outcomes) -> list[Row]:
    """An epoch of the script and one of `fit`, beside the peers'."""
    peers = {name: epoch_seconds(outcomes[name]) for name in PEERS}
    bounds = (
        Bound("≤ 1/2.5 of the fastest PyTorch", min(peers[name].median for name in PYTORCH) / 2.5),
        Bound("≤ 1/3 of scikit-learn", peers["scikit-learn"].median / 3),
        ahead_of_each({name: peers[name] for name in OTHER_JAX}, "ahead of Keras, Flax and Equinox"),
    )
    return [
        Row("One epoch of the original MLP, after the first", "s", epoch_seconds(outcomes["ours"]), peers, bounds),
        Row("The same through `jaxquard.training.fit`", "s", epoch_seconds(outcomes["fit"]), peers, bounds),
    ]


def best_gflops(outcomes: Outcomes) -> float:
    """The fastest large matrix product of the whole run, NumPy's or JAX's."""
    return max(max(outcome.report.values()) for outcome in outcomes["floor"])


def floor_rows(outcomes: Outcomes) -> list[Row]:
    """An epoch as a multiple of the time that its arithmetic takes at the speed of a large matrix product."""
    gflops = best_gflops(outcomes)
    small, large = gflop_an_epoch() / gflops, gflop_an_epoch(batch=512) / gflops
    peers = {name: epoch_seconds(outcomes[name]).times(1 / small) for name in PEERS}
    ours = epoch_seconds(outcomes["ours"]).times(1 / small)
    ours_512 = epoch_seconds(outcomes["batch 512"]).times(1 / large)
    measure, unit = "An epoch against the best matrix product", f"× 27.2 GFLOP at {gflops:.0f} GFLOP/s"
    return [
        Row(f"{measure}, batch 128", unit, ours, peers, (Bound("≤ 1.6 × the floor", 1.6),)),
        Row(f"{measure}, batch 512", unit, ours_512, bounds=(Bound("≤ 1.5 × the floor", 1.5),)),
    ]


def script_rows(outcomes: Outcomes) -> list[Row]:
    """From process start to the result, with empty and with warm caches."""
    peers = {name: wall_seconds(outcomes[name]) for name in PEERS}
    ahead = ahead_of_each(peers, "ahead of every peer's script")
    measure = "Process start → result of the original training"
    return [
        Row(f"{measure}, nothing cached", "s", wall_seconds(outcomes["cold"]), peers, (ahead,)),
        Row(f"{measure}, caches warm", "s", wall_seconds(outcomes["warm"]), peers, (ahead,)),
    ]


def wall_seconds(outcomes: list[Outcome]) -> Spread:
    """Seconds from process start to exit."""
    return Spread.of(outcome.seconds for outcome in outcomes)


def memory_row(outcomes: Outcomes) -> Row:
    """The peak memory of a process."""
    peers = {name: Spread.of(outcome.peak_mb for outcome in outcomes[name]) for name in PEERS}
    ours = Spread.of(outcome.peak_mb for outcome in outcomes["cold"])
    return Row("Peak memory of the original training", "MB", ours, peers, (ahead_of_each(peers, "below every peer's"),))
