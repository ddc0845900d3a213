"""The compilation of LeNet-5 stands apart from its epochs."""

from benchmarks.measures import lenet
from benchmarks.process import Outcome


def test_compilation_is_what_the_first_epoch_takes_longer():
    firsts = {"ours": 3.0, "PyTorch eager": 2.5, "torch.compile": 20.0}
    outcomes = {
        name: [Outcome(9.0, 1.0, {"epoch_seconds": [first, 2.0, 2.0], "train_loss": [0.5]})]
        for name, first in firsts.items()
    }
    epoch, compilation = lenet.rows(outcomes)
    assert (epoch.ours.median, epoch.holds) == (2.0, True)
    assert (compilation.ours.median, compilation.holds) == (1.0, None)
    assert {name: peer.median for name, peer in compilation.peers.items()} == {
        "PyTorch eager": 0.5,
        "torch.compile": 18,
    }
