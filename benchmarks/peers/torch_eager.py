"""PyTorch in eager mode, the whole data set one tensor and each batch an index into it."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from benchmarks.peers import common


def mlp() -> nn.Sequential:
    """The network, with the start that all peers share."""
    layers = [nn.Linear(n, m) for n, m in pairwise(common.SIZES)]
    with torch.no_grad():
        for layer, (w, b) in zip(layers, common.initial_params(np.random.default_rng(common.SEED)), strict=True):
            layer.weight.copy_(torch.from_numpy(w.T))
            layer.bias.copy_(torch.from_numpy(b))
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


def accuracy(model: nn.Module, data: common.Data) -> float:
    """The accuracy of `model` on the test images."""
    with torch.inference_mode():
        logits = model(torch.from_numpy(data.x_test))
    return (logits.argmax(1) == torch.from_numpy(data.y_test)).float().mean().item()


def epoch(
    images: int, size: int, loss_of: Callable[[torch.Tensor], torch.Tensor], optimizer: torch.optim.Optimizer
) -> float:
    """An epoch of batches of `size` images, which `loss_of` gets as indices. Returns the mean loss."""
    batches = torch.randperm(images).split(size)[: images // size]
    total = torch.zeros(())
    for batch in batches:
        loss = loss_of(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach()
    return total.item() / len(batches)


def prepare(data: common.Data, compiled: bool = False) -> common.Peer:
    """The training loop of PyTorch's tutorials, without its DataLoader; with `compiled`, of a compiled loss."""
    torch.manual_seed(common.SEED)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    model, loss_fn = mlp(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=common.LEARNING_RATE, fused=True)

    def loss_of(batch: torch.Tensor) -> torch.Tensor:
        return loss_fn(model(x[batch]), y[batch])

    chosen = torch.compile(loss_of) if compiled else loss_of
    return common.Peer(lambda: epoch(len(x), common.BATCH, chosen, optimizer), lambda: accuracy(model, data))


if __name__ == "__main__":
    common.main("PyTorch eager", ["torch"], prepare)
