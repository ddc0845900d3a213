"""JaxquardClassifier by scikit-learn's own checks and in its tools, on small tables of blobs."""

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, make_blobs
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import jaxquard
from jaxquard.config import Config
from jaxquard.errors import DivergedError
from jaxquard.sklearn import JaxquardClassifier

X, NUMBERS = make_blobs(60, n_features=16, centers=3, random_state=0)
Y = np.array(["one", "three", "two"])[NUMBERS]
SMALL: dict[str, Any] = {"hidden": (8,), "epochs": 30, "learning_rate": 0.01, "batch_size": 20, "random_state": 0}


def small(**settings: Any) -> JaxquardClassifier:
    return JaxquardClassifier(**SMALL | settings)


def same(one: JaxquardClassifier, other: JaxquardClassifier) -> bool:
    return np.array_equal(one.predict_proba(X), other.predict_proba(X))


def test_the_parameters_are_those_of_the_config():
    defaults = {name: parameter.default for name, parameter in inspect.signature(JaxquardClassifier).parameters.items()}
    fields = {field.name: field for field in dataclasses.fields(Config)}
    groups = {"Network", "Objective", "Optimiser"}
    wanted = {name for name, field in fields.items() if field.metadata["group"] in groups}
    wanted = wanted - {"teacher", "teacher_share", "temperature", "class_weight"} | {"batch_size", "epochs", "patience"}
    own = {"image_shape", "class_weight", "early_stopping", "validation_fraction", "warm_start", "random_state"}
    assert set(defaults) == wanted | own | {"verbose", "runs"}
    different = {name for name in wanted if defaults[name] != fields[name].default}
    assert different == {"optimizer", "learning_rate", "epochs", "patience"}


def test_it_learns_any_labels_whatever_the_order_and_the_scale_of_rows():
    one = small().fit(X, Y)
    assert one.score(X, Y) > 0.95
    assert one.classes_.tolist() == ["one", "three", "two"]
    assert one.n_iter_ == len(one.loss_curve_) == 30
    assert one.loss_curve_[-1] < one.loss_curve_[0]
    assert same(one, small().fit(X[::-1], Y[::-1]))
    scales = 10.0 ** np.arange(-8, 8)
    scaled = small().fit(X * scales, Y)
    assert scaled.score(X * scales, Y) > 0.95
    assert np.isfinite(one.predict_proba(np.full((1, 16), 1e300))).all()


def test_weights_of_classes_are_those_of_their_rows():
    weights = np.where(NUMBERS == 0, 2.5, 1.0)
    one = small(class_weight={"one": 2.5, "two": 1, "three": 1}).fit(X, Y)
    assert same(one, small().fit(X, Y, sample_weight=weights))
    assert not same(one, small().fit(X, Y))
    tiny = small(batch_size=1, epochs=1).fit(X, Y, sample_weight=np.where(NUMBERS == 0, 1e-60, 1.0))
    assert np.isfinite(tiny.predict_proba(X)).all()
    without = small().fit(X[NUMBERS > 0], Y[NUMBERS > 0])
    left_out = small(class_weight={"one": 0.0, "two": 0.5, "three": 0.5}).fit(X, Y)
    np.testing.assert_array_equal(left_out.predict(X), without.predict(X))


def test_a_warm_start_and_partial_fit_continue():
    warm = small(warm_start=True, epochs=3).fit(X, Y)
    assert warm.fit(X, Y).n_iter_ == 6
    assert max(warm.loss_curve_[3:]) < min(warm.loss_curve_[:3])
    with pytest.raises(ValueError, match="has changed"):
        warm.set_params(hidden=(9,)).fit(X, Y)
    with pytest.raises(ValueError, match="warm_start: the classes"):
        warm.fit(X, NUMBERS)

    one = small()
    one.partial_fit(X[:20], Y[:20], classes=np.unique(Y))
    other = pickle.loads(pickle.dumps(one))
    for each in (one, other):
        for _ in range(20):
            for rows in np.split(np.arange(60), 3):
                each.partial_fit(X[rows], Y[rows])
    assert same(one, other)
    assert one.score(X, Y) > 0.95
    for rows, message in ((NUMBERS, "not among the classes"), (Y, "are not those of the first call")):
        with pytest.raises(ValueError, match=message):
            one.partial_fit(X, rows, classes=None if rows is NUMBERS else ["one"])


def test_runs_gets_the_run_of_a_fit(tmp_path: Path):
    one = small(runs=tmp_path, early_stopping=True, epochs=5).fit(X, Y)
    assert same(one, small(early_stopping=True, epochs=5).fit(X, Y))
    (run,) = jaxquard.list_runs(runs=tmp_path)
    assert (run.status(), len(run.epochs())) == ("finished", 5)
    model = jaxquard.load_model(run)
    assert model.class_names == ("one", "three", "two")
    for found, kept in zip(jax.tree.leaves(model.weights), jax.tree.leaves(one.weights_), strict=True):
        np.testing.assert_array_equal(found, kept)
    assert "5 of 5" in run._repr_html_()
    with pytest.raises(DivergedError):
        small(runs=tmp_path, optimizer="sgd", learning_rate=1e30).fit(X, Y)
    assert {run.status() for run in jaxquard.list_runs(runs=tmp_path)} == {"finished", "diverged"}


def test_early_stopping_keeps_the_best_epoch(capsys: pytest.CaptureFixture[str]):
    stopped = small(early_stopping=True, patience=2, epochs=200, learning_rate=0.1, verbose=True)
    stopped.fit(X, np.roll(Y, 1))  # labels that the rows do not tell
    assert stopped.n_iter_ < 200
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == stopped.n_iter_
    assert lines[0].startswith("epoch 1: train_loss ")
    assert "val_loss" in lines[0]


@pytest.mark.parametrize(
    ("settings", "weights", "message"),
    [
        ({"model": "cnn"}, None, "model: a cnn needs image_shape"),
        ({"image_shape": (5, 5)}, None, "rows of 16 numbers are not images of"),
        ({"image_shape": 16}, None, "rows of 16 numbers are not images of"),
        ({"image_shape": "4x4"}, None, "rows of 16 numbers are not images of"),
        ({"model": "cnn", "image_shape": (2, 8)}, None, "widths: 3 stages"),
        ({"learning_rate": -1}, None, "learning_rate"),
        ({"hidden": "wide"}, None, "hidden"),
        ({"early_stopping": True, "validation_fraction": 1.5}, None, "validation_fraction"),
        ({"early_stopping": True, "validation_fraction": "all"}, None, "validation_fraction"),
        ({"class_weight": {"one": 0, "two": 0, "three": 0}}, None, "weight 0"),
        ({}, np.zeros(60), "weight"),
        ({}, np.where(NUMBERS == 0, 1.0, 0.0), "one class"),
        ({"class_weight": "uneven"}, None, "class_weight"),
        ({"class_weight": [1]}, None, "class_weight: must be a dict"),
        ({"class_weight": {"one": -1}}, None, "class_weight: each weight"),
        ({"class_weight": {"one": np.nan}}, None, "class_weight: each weight"),
        ({"image_shape": (-4, -4)}, None, "rows of 16 numbers are not images of"),
    ],
)
def test_bad_input_is_a_value_error(settings: dict[str, Any], weights: Any, message: str):
    with pytest.raises(ValueError, match=message):
        small(**settings).fit(X, Y, sample_weight=weights)


def test_labels_and_images_of_other_kinds_are_value_errors():
    for fit, message in (
        (lambda: small().fit(X, Y.astype("S")), "y: labels are numbers or text, not bytes"),
        (lambda: small().partial_fit(X, Y, classes=[0, "a", None]), "classes: must be labels of one kind"),
        (lambda: small(image_shape=(2, 8)).fit(X.reshape(60, 8, 2), Y), r"X: images of \(8, 2\), not of"),
    ):
        with pytest.raises(ValueError, match=message):
            fit()
    assert same(small().fit(X, Y.astype(np.dtypes.StringDType())), small(hidden=np.array([8])).fit(X, Y))


def test_numbers_too_large_are_refused_and_divergence_is_an_error():
    with pytest.raises(ValueError, match="too large"):
        small().fit(X * 1e200, Y)
    with pytest.raises(DivergedError, match="smaller learning rate"):
        small(optimizer="sgd", learning_rate=1e30).fit(X, Y)
    failing = small().fit(X, Y)
    before = vars(failing).keys(), failing.predict_proba(X), list(failing.loss_curve_)
    failing.set_params(optimizer="sgd", learning_rate=1e30)
    for again in (
        lambda: failing.fit(X[:, :9] * 2, NUMBERS),
        lambda: failing.set_params(warm_start=True).fit(X, Y),
        lambda: failing.partial_fit(X * 2 + 1, Y),  # with another optimiser than before
    ):
        with pytest.raises((DivergedError, ValueError)):
            again()
        after = vars(failing).keys(), failing.predict_proba(X), list(failing.loss_curve_)
        assert failing.classes_.tolist() == ["one", "three", "two"]
        assert all(map(np.array_equal, map(list, before), map(list, after)))


@pytest.mark.check
def test_all_of_scikit_learns_checks_pass():
    script = Path(__file__).parent / "sklearn_page.py"
    found = subprocess.run([sys.executable, "-W", "error", script], capture_output=True, text=True, check=True).stdout
    assert all(line.endswith(": passed") for line in found.splitlines() if line.startswith("- ")), found
    committed = (script.parents[1] / "docs" / "SKLEARN.md").read_text(encoding="utf-8")
    if f"scikit-learn {sklearn.__version__}," in committed:
        assert found == committed


@pytest.mark.check
def test_it_works_in_scikit_learns_tools(tmp_path: Path):
    one = small(epochs=10)
    assert cross_val_score(make_pipeline(StandardScaler(), one), X, Y, cv=3).mean() > 0.9
    search = GridSearchCV(one, {"learning_rate": [1e-6, 0.01]}, cv=3, n_jobs=2).fit(X, Y)
    assert search.best_params_ == {"learning_rate": 0.01}
    assert CalibratedClassifierCV(one, cv=3).fit(X, Y).score(X, Y) > 0.9
    fitted = clone(one).fit(X, Y)
    joblib.dump(fitted, tmp_path / "model.joblib")
    for again in (joblib.load(tmp_path / "model.joblib"), copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert same(fitted, again)


@pytest.mark.check
def test_rows_can_be_images():
    images, labels = load_digits(return_X_y=True)
    settings: dict[str, Any] = {"model": "cnn", "widths": (8, 16), "blocks": 0, "image_shape": (8, 8)}
    network = small(**settings, epochs=10, batch_size=128)
    network.fit(images[:1200].reshape(-1, 8, 8), labels[:1200])
    assert network.score(images[1200:], labels[1200:]) > 0.9
    np.testing.assert_array_equal(network.predict(images.reshape(-1, 8, 8)), network.predict(images))
