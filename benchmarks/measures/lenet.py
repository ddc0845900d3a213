"""LeNet-5 with Adam in batches of 32, the benchmark of SimpleChains.jl, beside PyTorch.

SimpleChains.jl: julialang.org/blog/2022/04/simple-chains. Its script for PyTorch, github.com/chriselrod/LeNetTorch,
gives each thread of a CPU 16 images of a batch: 32 on two cores. Here the images are those of Fashion-MNIST, of the
same size as MNIST's. All use as many threads as there are cores.
"""

import statistics

from benchmarks.arena import Arena
from benchmarks.measures.cnn import ONCE as ONCE
from benchmarks.measures.cnn import PEERS
from benchmarks.measures.original import check_same_work, epoch_seconds
from benchmarks.process import Contestant, Outcome
from benchmarks.rows import Row, Spread, ahead_of_each


def contestants(arena: Arena) -> dict[str, Contestant]:
    """Our training and PyTorch's, of three epochs."""
    options = ("--data", arena.data, "--epochs", str(min(3, arena.epochs)))
    peers = {name: arena.program("-m", "benchmarks.peers.torch_lenet", *options, *how) for name, how in PEERS.items()}
    return {"ours": arena.program("-m", "benchmarks.ours.lenet", *options), **peers}


def rows(outcomes: dict[str, list[Outcome]]) -> list[Row]:
    """An epoch, and apart from it the compilation. Raises DifferentWork."""
    check_same_work(outcomes, PEERS)
    epochs = {name: epoch_seconds(outcomes[name]) for name in ("ours", *PEERS)}
    starts = {name: first_seconds(outcomes[name]) for name in ("ours", *PEERS)}
    ahead = ahead_of_each({name: epochs[name] for name in PEERS}, "ahead of PyTorch, eager and compiled")
    return [
        Row("One epoch of LeNet-5 (batch 32, Adam), after the first", "s", epochs.pop("ours"), epochs, (ahead,)),
        Row("Compilation of LeNet-5: what its first epoch takes longer", "s", starts.pop("ours"), starts),
    ]


def first_seconds(outcomes: list[Outcome]) -> Spread:
    """Seconds that the first epoch of each process takes longer than its other epochs."""
    epochs = [outcome.report["epoch_seconds"] for outcome in outcomes]
    return Spread.of(first - statistics.median(others) for first, *others in epochs)
