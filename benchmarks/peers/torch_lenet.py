"""PyTorch's LeNet-5 with Adam; `--compile` compiles gather, forward and loss as one function."""

import numpy as np
import torch
from torch import nn

from benchmarks.peers import common
from benchmarks.peers.torch_eager import accuracy, epoch


def lenet() -> nn.Sequential:
    """The network, with the start that ours has. Its maps have the channels first, so the first layer's rows after them
    are in another order."""
    convolutions = [nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    units = [nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    model = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), *convolutions, nn.Flatten(), *units)
    params = common.initial_params(np.random.default_rng(common.SEED), common.LENET_SHAPES)
    weights = [w.transpose(3, 2, 0, 1) if w.ndim == 4 else w.T for w, _ in params]
    weights[2] = weights[2].reshape(120, 4, 4, 16).transpose(0, 3, 1, 2).reshape(120, 256)
    with torch.no_grad():
        for layer, w in zip((layer for layer in model if hasattr(layer, "weight")), weights, strict=True):
            layer.weight.copy_(torch.from_numpy(w))
            layer.bias.zero_()
    return model


def prepare(data: common.Data, compiled: bool) -> common.Peer:
    """The training loop of PyTorch's tutorials, without its DataLoader."""
    torch.manual_seed(common.SEED)
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    model, loss_fn = lenet(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4, fused=True)

    def loss_of(batch: torch.Tensor) -> torch.Tensor:
        return loss_fn(model(x[batch]), y[batch])

    loss_of = torch.compile(loss_of) if compiled else loss_of

    return common.Peer(lambda: epoch(len(x), common.LENET_BATCH, loss_of, optimizer), lambda: accuracy(model, data))


def main() -> None:
    """As every peer's `main`, with an option to compile."""
    parser = common.parser()
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    peer = prepare(common.load(options.data), options.compile)
    common.report("torch.compile" if options.compile else "PyTorch eager", ["torch"], peer, options.epochs)


if __name__ == "__main__":
    main()
