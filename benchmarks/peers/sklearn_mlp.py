"""scikit-learn's MLPClassifier, one `partial_fit` an epoch.

It keeps the last partial batch: 469 updates an epoch, not 468.
"""

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.peers import common


def prepare(data: common.Data) -> common.Peer:
    """Plain SGD: no momentum and no weight decay, which are its defaults otherwise."""
    model = MLPClassifier(
        hidden_layer_sizes=common.SIZES[1:-1],
        solver="sgd",
        alpha=0.0,
        momentum=0.0,
        nesterovs_momentum=False,
        batch_size=common.BATCH,
        learning_rate_init=common.LEARNING_RATE,
        random_state=common.SEED,
    )
    # the first call draws initial weights, which the peers' shared ones then replace
    first = slice(common.BATCH)
    model.partial_fit(data.x_train[first], data.y_train[first], classes=np.arange(common.SIZES[-1]))
    start = common.initial_params(np.random.default_rng(common.SEED))
    for coef, intercept, (w, b) in zip(model.coefs_, model.intercepts_, start, strict=True):
        coef[:], intercept[:] = w, b

    def train_epoch() -> float:
        model.partial_fit(data.x_train, data.y_train)
        return float(model.loss_)

    return common.Peer(train_epoch, lambda: float(model.score(data.x_test, data.y_test)))


if __name__ == "__main__":
    common.main("scikit-learn", ["scikit-learn", "numpy"], prepare)
