"""PyTorch with `torch.compile`: gather, forward and loss in one function, which is compiled with its backward."""

import torch
from torch import nn

from benchmarks.peers import common
from benchmarks.peers.torch_eager import accuracy, epoch, mlp


def prepare(data: common.Data) -> common.Peer:
    """The eager loop, with a compiled loss."""
    torch.manual_seed(common.SEED)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    model, loss_fn = mlp(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=common.LEARNING_RATE, fused=True)

    @torch.compile
    def loss_of(batch: torch.Tensor) -> torch.Tensor:
        return loss_fn(model(x[batch]), y[batch])

    return common.Peer(lambda: epoch(len(x), common.BATCH, loss_of, optimizer), lambda: accuracy(model, data))


if __name__ == "__main__":
    common.main("torch.compile", ["torch"], prepare)
