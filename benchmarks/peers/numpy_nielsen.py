"""NumPy alone, in the matrix form that Nielsen's exercise asks for: one column an example, a whole mini-batch at once.

Equations (BP1)-(BP4) of "Neural Networks and Deep Learning", chapter 2, with ReLU and a softmax output.
"""

import numpy as np

from benchmarks.peers import common


def feedforward(weights: list, biases: list, x: np.ndarray) -> list[np.ndarray]:
    """Every layer's activation for the columns of `x`, the input first, the output layer's logits z last."""
    activations = [x]
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        activations.append(np.maximum(w @ activations[-1] + b, 0))
    return [*activations, weights[-1] @ activations[-1] + biases[-1]]


def cost_and_delta(z: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean cross-entropy of the logits z (10, batch), and each column's gradient δ = softmax(z) - y (BP1)."""
    z = z - z.max(axis=0)
    total = np.exp(z).sum(axis=0)
    columns = np.arange(len(y))
    delta = np.exp(z) / total
    delta[y, columns] -= 1
    return float((np.log(total) - z[y, columns]).mean()), delta


def update_mini_batch(weights: list, biases: list, x: np.ndarray, y: np.ndarray) -> float:
    """One step of gradient descent on the batch x (784, batch), in place; returns its cost."""
    activations = feedforward(weights, biases, x)
    cost, delta = cost_and_delta(activations[-1], y)
    eta = np.float32(common.LEARNING_RATE / len(y))
    for layer in reversed(range(len(weights))):
        a, w = activations[layer], weights[layer]
        nabla_w, nabla_b = delta @ a.T, delta.sum(axis=1, keepdims=True)  # BP4, BP3
        if layer:
            delta = (w.T @ delta) * (a > 0)  # BP2
        w -= eta * nabla_w
        biases[layer] -= eta * nabla_b
    return cost


def prepare(data: common.Data) -> common.Peer:
    """Nielsen's SGD: a shuffle an epoch, then one mini-batch after another."""
    rng = np.random.default_rng(common.SEED)
    start = common.initial_params(rng)
    weights = [w.T.copy() for w, _ in start]
    biases = [b[:, None].copy() for _, b in start]

    def train_epoch() -> float:
        steps = len(data.x_train) // common.BATCH
        batches = rng.permutation(len(data.x_train))[: steps * common.BATCH].reshape(steps, common.BATCH)
        costs = [update_mini_batch(weights, biases, data.x_train[at].T, data.y_train[at]) for at in batches]
        return float(np.mean(costs))

    def evaluate() -> float:
        return float((feedforward(weights, biases, data.x_test.T)[-1].argmax(0) == data.y_test).mean())

    return common.Peer(train_epoch, evaluate)


if __name__ == "__main__":
    common.main("NumPy (Nielsen)", ["numpy"], prepare)
