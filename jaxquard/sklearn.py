"""`JaxquardClassifier`: the networks as a scikit-learn classifier. Needs the extra `sklearn`.

from jaxquard.sklearn import JaxquardClassifier
JaxquardClassifier(hidden=(64,), random_state=0).fit(X, y).score(X_test, y_test)
"""

import dataclasses
import numbers
from collections.abc import Callable
from copy import deepcopy
from functools import partial, wraps
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxquard.arguments import checked_number
from jaxquard.config import MAX_SEED, Config
from jaxquard.data import Dataset
from jaxquard.data.catalogue import ARRAYS
from jaxquard.data.dataset import shuffled_by_class
from jaxquard.data.idx import sha256
from jaxquard.errors import DivergedError, JaxquardError, UsageError
from jaxquard.installed import how_to_add
from jaxquard.naming import visible
from jaxquard.runs.train import recorded
from jaxquard.training.data import TrainingData
from jaxquard.training.evaluation import all_logits, log_probabilities
from jaxquard.training.fit import fit, make_run
from jaxquard.training.program import make_logits, start
from jaxquard.training.state import TrainState

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_random_state, validate_data
except ImportError as error:
    raise JaxquardError(f"jaxquard.sklearn needs scikit-learn 1.6 or newer: {how_to_add('sklearn')}") from error

OUTLIER = 1e6  # standard deviations; larger values would overflow float32 in the network
LEAST = 1e-30  # share of the largest weight; a float32 that is not 0
REPEATED = 10  # whole sample weights repeat rows unless this makes the data more than so many times larger
REMEDY = "try a smaller learning rate"
P = ParamSpec("P")
R = TypeVar("R")
_SETTINGS = {field.name for field in dataclasses.fields(Config)} - {"class_weight"}


def _all_or_nothing(method: Callable[P, R]) -> Callable[P, R]:
    """A method that trains; if it fails, the estimator stays as it was."""

    @wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        fields = vars(args[0])
        changing = {name: deepcopy(fields[name]) for name in ("_scaler", "loss_curve_") if name in fields}
        before = fields | changing
        try:
            return method(*args, **kwargs)
        except BaseException:
            fields.clear()
            fields.update(before)
            raise

    return wrapper


class JaxquardClassifier(ClassifierMixin, BaseEstimator):
    """A network that Jaxquard trains, as a scikit-learn classifier.

    The parameters are the settings of `jaxquard.Config` for network, objective, optimiser, `batch_size`, `epochs` and
    `patience`, with the same meaning. The defaults of `optimizer`, `learning_rate`, `epochs` and `patience` differ:
    they suit small data.

    `X` has rows of numbers (n, d) of any range, each feature standardised by its mean and standard deviation in
    training. With `image_shape`, (height, width) or (height, width, channels), rows are images, and all pixels share
    one mean and standard deviation; `X` may then also be (n, *image_shape). A batch has at most as many rows as there
    are to train on. The result depends on the rows and the seed, not on the order of the rows.

    Further parameters
    ------------------
    random_state : int (the seed), RandomState or None (another seed for each fit)
    verbose : bool; prints a line for each epoch
    runs : folder in which `fit` saves a run directory, or None; its data are the standardised rows, without a test set
    warm_start : bool; `fit` continues from the weights of the last fit
    early_stopping : bool; holds out `validation_fraction` of the rows, by class, stops after `patience` epochs without
        a lower validation loss and keeps the best epoch's weights
    class_weight : dict from class to weight, "balanced" or None

    A sample weight of 0 leaves a row out. Whole weights repeat rows (unless there would be more than ten times as
    many), other weights are those of a weighted mean of the losses in each batch.

    Attributes
    ----------
    classes_ : the class labels, sorted
    n_features_in_, feature_names_in_ : the number of features in training, and their names if `X` had any
    loss_curve_, n_iter_ : the mean training loss of each epoch, and the number of epochs
    weights_ : parameters and state of the network, each leaf with a leading axis of one network
    """

    class_weight: Any
    early_stopping: bool
    image_shape: tuple[int, ...] | None
    model: str
    n_features_in_: int
    patience: int
    random_state: Any
    runs: Any
    schedule: str
    validation_fraction: Any
    verbose: bool
    warm_start: bool

    def __init__(
        self,
        *,
        model="mlp",
        hidden=(128, 64),
        widths=(16, 32, 64),
        blocks=1,
        stem=1,
        half_size_share=0.0,
        activation="relu",
        initializer="scaled_normal",
        batch_norm=False,
        dropout=0.0,
        loss="cross_entropy",
        label_smoothing=0.0,
        l2=0.0,
        optimizer="adam",
        learning_rate=0.001,
        momentum=0.9,
        beta1=0.9,
        beta2=0.999,
        epsilon=1e-8,
        weight_decay=0.0,
        clip_norm=0.0,
        schedule="constant",
        warmup=0.0,
        decay_every=5.0,
        decay_factor=0.5,
        ema=0.0,
        batch_size=128,
        epochs=100,
        patience=10,
        image_shape=None,
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        warm_start=False,
        random_state=None,
        verbose=False,
        runs=None,
    ):
        vars(self).update({name: value for name, value in locals().items() if name not in ("self", "__class__")})

    @_all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on rows X (n, d) with labels y (n,), numbers or text. ValueError for bad input, DivergedError."""
        again = self.warm_start and hasattr(self, "weights_")
        X, y = self._checked(X, y, reset=not again)
        if again and not np.array_equal(np.unique(y), self.classes_):
            raise ValueError(f"warm_start: the classes must be those of the fit before, {self.classes_}")
        self.classes_ = np.unique(y)
        X, labels, weights = self._weighted(X, y, sample_weight)
        if len(np.unique(labels)) < 2:
            raise ValueError("there is nothing to learn from one class: fit needs rows of at least two classes")
        if not again:
            self._scaler, self.loss_curve_ = StandardScaler(), []
            self._measure(X, weights)
        before = {"params": self.weights_[0], "state": self.weights_[1]} if again else {}
        return self._train(X, labels, weights, before)

    @_all_or_nothing
    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
        """Train one more epoch, on these rows. The first call needs all `classes`. Errors as `fit`."""
        first = not hasattr(self, "weights_")
        if self.early_stopping or self.schedule != "constant" or self.class_weight == "balanced":
            raise ValueError(
                "partial_fit: needs early_stopping=False, a constant schedule and no balanced class_weight"
            )
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        X, y = self._checked(X, y, reset=first)
        if first:
            self.classes_, self._scaler, self.loss_curve_, self._memory = _unique(classes), StandardScaler(), [], {}
        elif classes is not None and not np.array_equal(_unique(classes), self.classes_):
            raise ValueError(f"classes: {classes} are not those of the first call, {self.classes_}")
        X, labels, weights = self._weighted(X, y, None)
        self._measure(X, weights)
        seed = (self._seed() + len(self.loss_curve_)) % MAX_SEED  # another order of the rows in each call
        return self._train(X, labels, weights, self._memory, epochs=1, seed=seed)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, float32 (n, classes), in the order of `classes_`."""
        check_is_fitted(self)
        images = self._images(self._checked(X, reset=False), self._spec.image_shape)
        logits = all_logits(partial(make_logits(self._spec), *self.weights_), images)[0]
        return np.exp(log_probabilities(logits)).astype(np.float32)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row, (n,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "weights_")

    def _checked(self, X: Any, *y: Any, reset: bool) -> Any:
        """X as floats (n, d), or X and y. ValueError as of scikit-learn's own estimators."""
        if self.image_shape is not None and np.ndim(X) > 2:
            shape, given = tuple(np.shape(X)[1:]), tuple(np.ravel(np.asarray(self.image_shape)).tolist())
            if (*shape, 1)[:3] != (*given, 1)[:3]:
                raise ValueError(f"X: images of {shape}, not of image_shape={self.image_shape}")
            X = np.reshape(X, (len(X), -1))
        dtype = np.float32 if getattr(X, "dtype", None) == np.uint8 else [np.float64, np.float32]
        if y and np.asarray(y[0]).dtype.kind == "S":
            raise ValueError("y: labels are numbers or text, not bytes: y = y.astype(str)")
        if y and getattr(getattr(y[0], "dtype", None), "kind", "") == "T":
            y = (y[0].astype(object),)
        checked = validate_data(self, X, *y, reset=reset, dtype=dtype)
        if y:
            check_classification_targets(checked[1])
        return checked

    def _weighted(self, X: np.ndarray, y: np.ndarray, sample_weight: Any) -> tuple[np.ndarray, np.ndarray, Any]:
        """The rows to train on, their class numbers, and their weights in the loss (None if all are the same).

        Their order depends on their content alone, so that repeated rows and whole weights have the same result.
        """
        if unknown := set(y.tolist()) - set(self.classes_.tolist()):
            raise ValueError(f"y: {unknown} not among the classes of the first call, {self.classes_}")
        labels = np.searchsorted(self.classes_, y)
        weights = _check_sample_weight(sample_weight, X, ensure_non_negative=True, dtype=np.float64)
        order = np.lexsort((labels, _hashes(X)))
        order = order[weights[order] > 0]
        if (weights == weights.round()).all() and weights.sum() <= REPEATED * len(weights):
            order, weights = np.repeat(order, weights[order].astype(int)), np.ones(len(weights))
        if not (self.class_weight in (None, "balanced") or isinstance(self.class_weight, dict)):
            raise ValueError("class_weight: must be a dict from class to weight, 'balanced' or None")
        by_class = compute_sample_weight(self.class_weight, y[order])
        if not (by_class >= 0).all() or np.isinf(by_class).any():
            raise ValueError("class_weight: each weight must be a finite number, at least 0")
        weights = weights[order] * by_class
        order, weights = order[weights > 0], weights[weights > 0]
        if not len(order):
            raise ValueError("sample_weight and class_weight: every row has the weight 0")
        weights = np.maximum(weights / weights.max(), LEAST) if np.ptp(weights) else None
        return X[order], labels[order], weights

    def _measure(self, X: np.ndarray, weights: np.ndarray | None) -> None:
        """Add rows to the mean and standard deviation of each feature, or of all pixels."""
        self._columns = 1 if self.image_shape is not None else X.shape[1]
        weights = None if weights is None else np.repeat(weights, X.shape[1] // self._columns)
        with np.errstate(over="ignore", invalid="ignore"):
            self._scaler.partial_fit(X.reshape(-1, self._columns), sample_weight=weights)
        if not np.isfinite(np.asarray(self._scaler.scale_)).all():
            raise ValueError(
                "X: the numbers are too large to measure their standard deviation: divide them by a constant"
            )

    def _images(self, X: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Rows (n, d) as standardised images, float32 (n, *shape)."""
        with np.errstate(over="ignore"):
            scaled = np.asarray(self._scaler.transform(X.reshape(-1, self._columns)))
        return np.clip(scaled, -OUTLIER, OUTLIER, out=scaled).astype(np.float32).reshape(len(X), *shape)

    def _shape(self) -> tuple[int, ...]:
        """(height, width, channels) of a row. ValueError if the rows do not have that many numbers."""
        if self.image_shape is None:
            if self.model == "cnn":
                raise ValueError("model: a cnn needs image_shape, such as (28, 28)")
            return 1, self.n_features_in_, 1
        given = np.atleast_1d(np.asarray(self.image_shape))
        is_shape = given.dtype.kind in "iu" and len(given) in (2, 3) and given.min() > 0
        if not is_shape or given.prod() != self.n_features_in_:
            raise ValueError(f"image_shape: rows of {self.n_features_in_} numbers are not images of {self.image_shape}")
        return (*given.tolist(), 1)[:3]

    def _seed(self) -> int:
        """`random_state` if it is a number, else one drawn from it."""
        if isinstance(self.random_state, numbers.Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(MAX_SEED))

    def _config(self, **changes: Any) -> Config:
        """The settings. ValueError for a wrong one."""
        own = {name: value for name, value in self.get_params(deep=False).items() if name in _SETTINGS}
        own |= {"pixel_mean": 0.0, "pixel_std": 1.0, "seed": self._seed(), "validation": 0}
        try:
            if self.early_stopping:
                share = checked_number("validation_fraction", float, self.validation_fraction, above=0, below=1)
                own["validation"] = share
            else:
                own["patience"] = 0
            return Config(**own | changes)
        except UsageError as error:
            raise ValueError(str(error)) from None

    def _train(self, X: np.ndarray, labels: np.ndarray, weights: Any, before: dict[str, Any], **changes: Any) -> Self:
        """Train from the fields `before` of an earlier TrainState, and keep the result."""
        shape, config = self._shape(), self._config(**changes)
        kept, held = np.split(shuffled_by_class(labels), [len(labels) - config.held_out(len(labels))])
        size = min(config.batch_size, len(kept))
        config = config.replace(batch_size=size, dataset=ARRAYS, validation=len(held))
        images = self._images(X, shape)
        data = TrainingData(
            images=jnp.asarray(images[kept]),
            labels=jnp.asarray(labels[kept], jnp.int32),
            val_images=images[held],
            val_labels=labels[held],
            classes=len(self.classes_),
            weights=None if weights is None else jnp.asarray(weights[kept], jnp.float32),
        )
        try:
            task, program = make_run(config, data)
        except UsageError as error:
            raise ValueError(str(error)) from None
        ts = _continued(start(program, task, config.networks()), before)
        events = fit(config, data, ts, diagnostics=False)
        if self.runs is not None and "epochs" not in changes:
            events = recorded(config, self._dataset(data), ts, events, Path(self.runs))
        for event in events:
            ts = event.state
            if event.kind == "diverged":
                raise DivergedError(f"diverged: loss not finite in epoch {event.epoch + 1}; {REMEDY}")
            if event.kind == "epoch":
                self._report(event.record or {})
        weights = jax.tree.map(np.array, ts.selected)
        if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(weights)):
            raise DivergedError(f"diverged: weights not finite; {REMEDY}")
        self.weights_, self._spec, self.n_iter_ = weights, task.model, len(self.loss_curve_)
        self._memory = jax.tree.map(
            np.array, {name: getattr(ts, name) for name in ("params", "state", "opt_state", "ema")}
        )
        return self

    def _dataset(self, data: TrainingData) -> Dataset:
        """The standardised rows as a data set without test images."""
        images, labels = np.asarray(data.images), np.asarray(data.labels)
        arrays: dict[str, Any] = {"train_images": images, "train_labels": labels}
        arrays |= {"test_images": images[:0], "test_labels": labels[:0]}
        if len(data.val_labels):
            arrays |= {"val_images": data.val_images, "val_labels": data.val_labels}
        hashes = {role: sha256(values) for role, values in arrays.items()}
        names = tuple(visible(str(label)) for label in self.classes_)
        return Dataset(ARRAYS, **arrays, class_names=names, sha256=hashes, source=f"{type(self).__name__}.fit")

    def _report(self, record: dict[str, Any]) -> None:
        """Keep an epoch's loss; with `verbose`, print it."""
        self.loss_curve_.append(record["train_loss"][0])
        if self.verbose:
            figures = (f"{name} {record[name][0]:.4f}" for name in ("train_loss", "val_loss") if name in record)
            print(f"epoch {len(self.loss_curve_)}:", ", ".join(figures))


def _continued(ts: TrainState, before: dict[str, Any]) -> TrainState:
    """`ts` with the fields of an earlier training; the others follow from them. ValueError if they do not fit."""
    if not before:
        return ts
    copy = partial(jax.tree.map, jnp.array)  # each donated leaf needs a buffer of its own
    old = ts._replace(**copy(before))
    weights = (old.params, old.state)
    if ts.ema and "ema" not in before:
        old = old._replace(ema=copy(weights))
    if ts.stopping:
        old = old._replace(stopping=ts.stopping._replace(params=copy(old.params), state=copy(old.state)))
    if _shapes(old) != _shapes(ts):
        raise ValueError("the network or its optimiser has changed since the last call: use fit without warm_start")
    return old


def _unique(classes: Any) -> np.ndarray:
    try:
        return np.unique(classes)
    except (TypeError, ValueError):
        raise ValueError("classes: must be labels of one kind, numbers or text") from None


def _shapes(tree: Any) -> Any:
    return jax.tree.structure(tree), [leaf.shape for leaf in jax.tree.leaves(tree)]


def _hashes(X: np.ndarray) -> np.ndarray:
    """A number from the content of each row, (n,): Σ words · random factors mod 2⁶⁴."""
    words = np.ascontiguousarray(X).view(np.uint32)
    factors = np.random.PCG64(0).random_raw(words.shape[1])
    return np.einsum("ij,j->i", words, factors, dtype=np.uint64, casting="unsafe")
