"""PyTorch as its quickstart tutorial trains: a TensorDataset behind a DataLoader."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.peers import common
from benchmarks.peers.torch_eager import accuracy, mlp


def prepare(data: common.Data) -> common.Peer:
    """The loader shuffles, collates and drops the last partial batch; the loop is the eager one."""
    torch.manual_seed(common.SEED)
    images = TensorDataset(torch.from_numpy(data.x_train), torch.from_numpy(data.y_train))
    loader = DataLoader(images, batch_size=common.BATCH, shuffle=True, drop_last=True)
    model, loss_fn = mlp(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=common.LEARNING_RATE, fused=True)

    def train_epoch() -> float:
        total = torch.zeros(())
        for x, y in loader:
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return total.item() / len(loader)

    return common.Peer(train_epoch, lambda: accuracy(model, data))


if __name__ == "__main__":
    common.main("PyTorch DataLoader", ["torch"], prepare)
