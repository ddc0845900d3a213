"""PyTorch's CNN step: 3×3 convolutions 32-32-64-64-128-128, batch norm, ReLU, 2×2 max pooling between the pairs.

Channels-last, as its tuning guide advises for convolutions; `--compile` gives the compiled step.
"""

import json
import time
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.peers import common

WIDTHS = (32, 64, 128)
BATCH = 256


def stage(n: int, m: int) -> list[nn.Module]:
    """Two convolutions to `m` channels, each normalised and rectified."""
    pairs = ((n, m), (m, m))
    return [
        layer
        for into, out in pairs
        for layer in (nn.Conv2d(into, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU())
    ]


def cnn() -> nn.Sequential:
    """The network; each image's 7×7 last map is averaged before the final layer."""
    first, second, third = (stage(n, m) for n, m in zip((1, *WIDTHS), WIDTHS, strict=False))
    pooled = [*first, nn.MaxPool2d(2), *second, nn.MaxPool2d(2), *third]
    return nn.Sequential(*pooled, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], 10))


def prepare(data: common.Data, compiled: bool, device: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """One training step: from the numbers of a batch's images to its loss."""
    x = torch.from_numpy(data.x_train).view(-1, 1, 28, 28).to(device, memory_format=torch.channels_last)
    y = torch.from_numpy(data.y_train).to(device)
    model, loss_fn = cnn().to(device, memory_format=torch.channels_last), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=common.LEARNING_RATE, fused=True)
    forward = torch.compile(model) if compiled else model

    def train_step(batch: torch.Tensor) -> torch.Tensor:
        loss = loss_fn(forward(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return train_step


def main() -> None:
    """Print images a second (the first three figures warm up), and the last loss, as one line of JSON.

    Each step of a CPU is timed. Other devices are given eight steps at a time, so that they do not wait for Python.
    """
    parser = common.parser()
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.manual_seed(common.SEED)
    data = common.load(options.data)
    train_step = prepare(data, options.compile, options.device)
    rates, loss, at_once = [], 0.0, 1 if options.device == "cpu" else 8
    batches = torch.randperm(len(data.x_train), device=options.device).split(BATCH)[: options.steps]
    for first in range(0, len(batches), at_once):
        start, some = time.perf_counter(), batches[first : first + at_once]
        loss = [train_step(batch) for batch in some][-1].item()
        rates.append(sum(map(len, some)) / (time.perf_counter() - start))
    print(json.dumps({"images_per_second": rates[3:], "train_loss": loss, "peak_rss_mb": common.peak_rss_mb()}))


if __name__ == "__main__":
    main()
