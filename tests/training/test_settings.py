"""Every setting has its effect. The oracle is written with optax and `jax.nn`."""

import ast
import dataclasses
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from jaxquard.config import Config
from jaxquard.data import Dataset, split
from jaxquard.nn.model import count_parameters
from jaxquard.optim.transforms import orthogonalize
from jaxquard.training import steps
from jaxquard.training.data import prepare
from jaxquard.training.fit import fit
from jaxquard.training.randomness import epoch_order
from jaxquard.training.task import make_hyper, make_model, make_task

TESTS = Path(__file__).parents[1]
PLAIN = {"hidden": (5,), "batch_size": 20, "epochs": 2, "learning_rate": 0.1}  # 60 images: 3 steps an epoch
ON = PLAIN | {
    "label_smoothing": 0.1,
    "teacher": "a-model",
    "teacher_share": 0.5,
    "l2": 0.1,
    "weight_decay": 0.1,
    "clip_norm": 0.4,
    "warmup": 1.0,
    "ema": 0.9,
}
STEP = {"schedule": "step", "decay_every": 1.0, "decay_factor": 0.5}
ADAM = PLAIN | STEP | {"optimizer": "adam", "learning_rate": 0.01}

# Trainings to compare with the oracle: common settings, and changes. Each change alone has an effect on the oracle.
TRAININGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        PLAIN,
        {"label_smoothing": 0.1, "l2": 0.1, "weight_decay": 0.1, "clip_norm": 0.4, "ema": 0.9, "activation": "tanh"},
    ),
    (ON, {"teacher_share": 0.8, "temperature": 3.0, "learning_rate": 0.3, "epochs": 3, "seed": 1}),
    (ON, {"l2": 0.3, "weight_decay": 0.3, "clip_norm": 0.2, "warmup": 1.5, "ema": 0.3, "label_smoothing": 0.3}),
    (PLAIN, {"pixel_mean": 0.4, "pixel_std": 0.5, "hidden": (5, 3), "batch_size": 15, "validation": 20}),
    (PLAIN, {"loss": "squared_error_softmax", "activation": "sigmoid", "optimizer": "nesterov", "schedule": "cosine"}),
    (PLAIN, {"loss": "squared_error_sigmoid", "activation": "leaky_relu", "schedule": "one_cycle"}),
    (PLAIN | STEP, {"loss": "cross_entropy_sigmoid", "activation": "gelu", "decay_every": 0.5, "decay_factor": 0.1}),
    (PLAIN | {"optimizer": "momentum"}, {"momentum": 0.5, "activation": "identity"}),
    (ADAM, {"beta1": 0.5, "beta2": 0.5, "epsilon": 0.1}),
    (PLAIN | {"weight_decay": 0.1, "shards": 4}, {"optimizer": "adamw"}),
    (
        PLAIN | {"learning_rate": 0.01, "shards": 4},
        {"optimizer": "muon", "momentum": 0.5, "beta1": 0.5, "weight_decay": 1.0},
    ),
    (PLAIN, {"class_weight": "balanced"}),
    (PLAIN, {"seeds": 2}),
    (PLAIN | {"validation": 20}, {"sweep": (("learning_rate", (0.1, 0.3)),)}),
]

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "identity": lambda z: z,
}
LOSSES = {
    "cross_entropy": optax.softmax_cross_entropy,
    "squared_error_softmax": lambda z, y: jnp.sum(optax.l2_loss(jax.nn.softmax(z), y), axis=-1),
    "squared_error_sigmoid": lambda z, y: jnp.sum(optax.l2_loss(jax.nn.sigmoid(z), y), axis=-1),
    "cross_entropy_sigmoid": lambda z, y: jnp.sum(optax.sigmoid_binary_cross_entropy(z, y), axis=-1),
}


@pytest.fixture(scope="module")
def sixty(dataset: Dataset) -> Dataset:
    return dataclasses.replace(dataset, train_images=dataset.train_images[:60], train_labels=dataset.train_labels[:60])


def teachers_logits(n: int) -> jax.Array:
    return 3 * jax.random.normal(jax.random.key(9), (n, 4))


def trained_by_package(config: Config, dataset: Dataset) -> tuple[list[Any], ...]:
    """Each network's weights before the first step, its selected weights after the last, and the loss and the accuracy
    of its last epoch.
    """
    config, data = prepare(config, dataset)
    if config.teacher:
        data = data._replace(teacher=teachers_logits(len(data.images)))
    events = [(event, jax.device_get(event.state.selected[0])) for event in fit(config, data, diagnostics=False)]
    first, last = events[0][1], events[-1][1]  # before the first step the average equals the weights
    losses, accuracies = ((events[-1][0].record or {})[name] for name in ("train_loss", "train_accuracy"))
    each = ([jax.tree.map(lambda leaf, k=k: leaf[k], tree) for k in range(len(losses))] for tree in (first, last))
    return *each, losses, accuracies


def rates_of_oracle(config: Config, per_epoch: int) -> list[float]:
    rate, total, warmup = config.learning_rate, config.epochs * per_epoch, config.warmup * per_epoch
    schedule = {
        "constant": lambda: optax.constant_schedule(rate),
        "step": lambda: lambda n: rate * config.decay_factor ** (n // (config.decay_every * per_epoch)),
        "cosine": lambda: optax.cosine_decay_schedule(rate, int(total - warmup)),
        "one_cycle": lambda: optax.cosine_onecycle_schedule(total, rate, 0.3),
    }[config.schedule]()
    return [float(rate * n / warmup if n < warmup else schedule(n - warmup)) for n in range(total)]


def optimizer_of_oracle(config: Config) -> optax.GradientTransformation:
    adam = optax.scale_by_adam(config.beta1, config.beta2, config.epsilon)
    nesterov = optax.trace(config.momentum, nesterov=True)
    muon = optax.chain(nesterov, optax.GradientTransformation(*orthogonalize()))
    chosen = {
        "sgd": optax.identity(),
        "momentum": optax.trace(config.momentum),
        "nesterov": nesterov,
        "adam": adam,
        "adamw": adam,
        "muon": optax.partition({True: muon, False: adam}, are_matrices),
    }[config.optimizer]
    decay = optax.add_decayed_weights(config.weight_decay, are_matrices)
    return optax.chain(optax.clip_by_global_norm(config.clip_norm or np.inf), chosen, decay)


def are_matrices(params: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.ndim == 2, params)


def trained_by_oracle(config: Config, dataset: Dataset, params: Any) -> tuple[Any, float, float]:
    """The weights of one network after training from `params`, and the mean loss and accuracy of its last epoch."""
    images, labels, *_ = split(dataset, config.validation or 0)
    pixels, per_epoch = images.reshape(len(images), -1) / 255, len(images) // config.batch_size
    x = (pixels - (config.pixel_mean or pixels.mean())) / (config.pixel_std or pixels.std())
    y = optax.smooth_labels(jax.nn.one_hot(labels, 4), config.label_smoothing)
    if config.teacher:
        said = jax.nn.softmax(teachers_logits(len(images)) / config.temperature)
        y = (1 - config.teacher_share) * y + config.teacher_share * said

    weight = compute_sample_weight("balanced" if config.class_weight == "balanced" else None, labels)

    def loss(params: Any, x: Any, y: Any, labels: Any, weights: Any) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        *hidden, last = params
        penalty = sum(jnp.sum(layer["w"] ** 2) for layer in params)
        for layer in hidden:
            x = ACTIVATIONS[config.activation](x @ layer["w"] + layer["b"])
        z = x @ last["w"] + last["b"]
        value, right = jnp.average(LOSSES[config.loss](z, y), weights=weights), jnp.mean(z.argmax(axis=-1) == labels)
        return value + config.l2 / 2 * penalty, (value, right)

    optimizer = optimizer_of_oracle(config)
    opt_state, average, figures = optimizer.init(params), params, []
    for number, rate in enumerate(rates_of_oracle(config, per_epoch)):
        epoch, batch = divmod(number, per_epoch)
        order = epoch_order(jax.random.key(config.seed), epoch, len(images))
        rows = order[batch * config.batch_size :][: config.batch_size]
        grads, found = jax.grad(loss, has_aux=True)(params, x[rows], y[rows], labels[rows], weight[rows])
        figures.append(found)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        params = jax.tree.map(lambda p, u, rate=rate: p - rate * u, params, updates)
        keep = min(config.ema, (1 + number) / (10 + number))
        average = jax.tree.map(lambda old, new, keep=keep: keep * old + (1 - keep) * new, average, params)
    return average, *np.mean(figures[-per_epoch:], axis=0).tolist()


@pytest.mark.parametrize(("others", "changes"), TRAININGS, ids=[" ".join(changes) for _, changes in TRAININGS])
def test_a_training_ends_at_the_weights_of_the_oracle(others: Any, changes: dict[str, Any], sixty: Dataset):
    config = Config(**others | changes)
    found = list(zip(config.networks(), *trained_by_package(config, sixty), strict=True))
    assert len(found) == (2 if changes.keys() & {"seeds", "sweep"} else 1)
    for network, start, end, loss, accuracy in found:
        assert [layer["w"].shape for layer in start] == list(pairwise((64, *config.hidden, 4)))
        expected, *figures = trained_by_oracle(network, sixty, start)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5), end, expected)
        assert [loss, accuracy] == pytest.approx(figures, rel=1e-4)
        for name in changes.keys() - {"hidden", "seeds", "sweep"}:
            unchanged = config.replace(**{name: others.get(name, getattr(Config(), name))})
            other, *_ = trained_by_oracle(unchanged, sixty, start)
            pairs = zip(jax.tree.leaves(end), jax.tree.leaves(other), strict=True)
            assert not all(np.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in pairs), name


def augmented(images: Any, setting: str, value: Any) -> tuple[np.ndarray, np.ndarray]:
    """Augmented images and targets, from images (n, h, w, 1)."""
    config = Config(**{setting: value})
    task = make_task(config, images.shape[1:], 4, len(images))
    targets = steps.make_targets(task, {}, jnp.arange(len(images)) % 4)
    x, targets = steps.augment(task, make_hyper(task, config), jax.random.key(0), images, targets)
    return np.asarray(x), np.asarray(targets)


def white(n: int = 4000) -> jax.Array:
    return jnp.full((n, 8, 8, 1), 255.0)


def left_half_white() -> jax.Array:
    return white().at[:, :, 4:].set(0)


def parameters(**settings: Any) -> int:
    task = make_task(Config(**settings), (8, 8, 1), 4, 303)
    return count_parameters(jax.eval_shape(make_model(task.model).init, jax.random.key(0))[0])


def cnns(**settings: Any) -> int:
    return parameters(model="cnn", **{"widths": (3, 5)} | settings)


def layer(n_in: int, n_out: int) -> int:
    """Parameters of a 3×3 convolution with batch normalisation."""
    return 9 * n_in * n_out + 2 * n_out


def spread(initializer: Any, n_in: int = 64, n_out: int = 200) -> float:
    """Standard deviation of the first layer's weights."""
    task = make_task(Config(initializer=initializer, hidden=(n_out,)), (8, 8, 1), 4, 303)
    return float(jnp.std(make_model(task.model).init(jax.random.key(0))[0][0]["w"]))


def dropped(share: float) -> float:
    """Share of hidden units without part in a step on one image: their outgoing weights do not change."""
    config = Config(hidden=(2000,), activation="identity", dropout=share, batch_size=1)
    task = make_task(config, (8, 8, 1), 4, 303)
    ts = steps.init_state(task, jnp.uint32(0), make_hyper(task, config))
    after = steps.train_step(task, ts, white(1), jnp.zeros(1, int))
    return float(jnp.mean(jnp.all(after.params[1]["w"] == ts.params[1]["w"], axis=1)))


# Setting: a measurement of its effect, and the expected results for some values.
EFFECTS: dict[str, tuple[Any, dict[Any, float]]] = {
    # share of images mirrored
    "flip": (lambda v: np.mean(augmented(left_half_white(), "flip", v)[0][:, 0, 7] > 0), {False: 0, True: 0.5}),
    # most pixels that a shift blanks: 8 - v rows and columns remain
    "shift": (lambda v: np.max(np.sum(augmented(white(), "shift", v)[0] == 0, axis=(1, 2, 3))), {0: 0, 2: 28, 3: 39}),
    "cutout": (lambda v: np.max(np.sum(augmented(white(), "cutout", v)[0] == 0, axis=(1, 2, 3))), {0: 0, 2: 4, 3: 9}),
    # share of images changed
    "erasing": (
        lambda v: np.mean(np.any(augmented(white(), "erasing", v)[0] < 255, axis=(1, 2, 3))),
        {0.0: 0, 0.25: 0.25, 0.75: 0.75},
    ),
    # variance of Beta(α, α), which is the first class's share of every fourth target
    "mixup": (lambda v: np.var(augmented(white(), "mixup", v)[1][::4, 0]), {0.2: 1 / 5.6, 1.0: 1 / 12, 4.0: 1 / 36}),
    "model": (lambda v: parameters(model=v, hidden=(5,), widths=(3,), blocks=0), {
        "mlp": 65 * 5 + 6 * 4,
        "cnn": layer(1, 3) + layer(3, 3) + 4 * 4,
    }),
    "batch_norm": (lambda v: parameters(batch_norm=v, hidden=(5,)), {False: 65 * 5 + 24, True: 66 * 5 + 24}),
    "widths": (lambda v: cnns(widths=v, blocks=0), {
        (3,): layer(1, 3) + layer(3, 3) + 16,
        (3, 5): layer(1, 3) + layer(3, 3) + layer(3, 5) + layer(5, 5) + 24,
    }),
    "blocks": (lambda v: cnns(blocks=v), {
        k: layer(1, 3) + 2 * k * layer(3, 3) + layer(3, 5) + 2 * k * layer(5, 5) + 24 for k in (1, 2)
    }),
    "stem": (lambda v: cnns(stem=v, blocks=0), {
        k: layer(k * k, 3) + layer(3, 3) + layer(3, 5) + layer(5, 5) + 24 for k in (1, 2, 3)
    }),
    "initializer": (spread, {
        "scaled_normal": 64**-0.5,
        "standard_normal": 1,
        "he_normal": (2 / 64) ** 0.5,
        "glorot_normal": (2 / 264) ** 0.5,
        "zeros": 0,
    }),
    "dropout": (dropped, {0.0: 0, 0.25: 0.25, 0.5: 0.5}),
}  # fmt: skip


@pytest.mark.parametrize("setting", EFFECTS)
def test_each_value_has_its_effect(setting: str):
    measure, expected = EFFECTS[setting]
    assert [measure(value) for value in expected] == pytest.approx(list(expected.values()), rel=0.08)


# Settings with tests elsewhere: the file and the beginning of the test's name.
ELSEWHERE = {
    "recipe": ("cli/test_train.py", "test_a_changed_recipe_keeps_its_name_only_if_named"),
    "dataset": ("test_api.py", "test_a_path_of_data_is_stored_as_absolute"),
    "image_size": ("data/test_image_folder.py", "test_the_size_and_colour_can_be_chosen_and_are_recorded"),
    "color": ("data/test_image_folder.py", "test_the_size_and_colour_can_be_chosen_and_are_recorded"),
    "unaugmented_share": ("training/test_phases.py", "test_the_last_epochs_are_of_images_as_they_are"),
    "half_size_share": ("training/test_phases.py", "test_the_first_epochs_are_of_images_of_half_the_size"),
    "teacher": ("runs/test_teacher.py", "test_the_teacher_gives_its_logits"),
    "shards": ("training/test_shards.py", "test_shards_learn_what_the_whole_batch_does"),
    "patience": ("training/test_fit.py", "test_early_stopping_waits_its_patience"),
    "tta": ("runs/test_train.py", "test_the_accuracy_with_augmentation_is_that_of_the_mean_over_views"),
}


def test_no_setting_is_left_out():
    trained = {name for _, changes in TRAININGS for name in changes}
    assert {field.name for field in dataclasses.fields(Config)} == trained | EFFECTS.keys() | ELSEWHERE.keys()
    for file, beginning in ELSEWHERE.values():
        nodes = ast.walk(ast.parse((TESTS / file).read_text(encoding="utf-8")))
        assert any(isinstance(node, ast.FunctionDef) and node.name.startswith(beginning) for node in nodes), beginning
