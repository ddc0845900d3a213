"""PyTorch with `torch.compile`: gather, forward and loss in one function, which is compiled with its backward."""

from functools import partial

from benchmarks.peers import common
from benchmarks.peers.torch_eager import prepare

if __name__ == "__main__":
    common.main("torch.compile", ["torch"], partial(prepare, compiled=True))
