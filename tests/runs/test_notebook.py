"""Results and runs in Jupyter."""

import base64
import dataclasses
import re
import sys
from types import SimpleNamespace
from typing import Any

import jaxquard
from jaxquard.data import Dataset
from jaxquard.runs import notebook

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "=1+1")


class Kernel:
    """IPython with a kernel, as far as the progress bar uses it."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.display = SimpleNamespace(display=self.show)

    def get_ipython(self) -> Any:
        return SimpleNamespace(kernel=True)

    def show(self, data: dict[str, str], raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        self.shown.append([data])
        return SimpleNamespace(update=lambda data, raw: self.shown[-1].append(data))


def test_a_training_in_a_kernel_shows_one_bar_and_a_page_without_scripts(stripes: Dataset, tmp_path, monkeypatch):
    assert not notebook.is_running()
    kernel = Kernel()
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    monkeypatch.setitem(sys.modules, "IPython.display", kernel.display)
    data = dataclasses.replace(stripes, class_names=HOSTILE, test_labels=(stripes.test_labels + 1) % 3)
    config = jaxquard.Config(hidden=(4,), epochs=2, batch_size=20, validation=20)
    result = jaxquard.train(config, data=data, runs=tmp_path)
    (updates,) = kernel.shown
    assert "epoch 2 of 2" in updates[-1]["text/plain"]
    assert "validation accuracy" in updates[-1]["text/plain"]
    assert '<progress value="10" max="10">' in updates[-1]["text/html"]

    images, labels, probabilities = result.mistakes
    assert 0 < len(images) == len(labels) <= 10
    assert (probabilities.argmax(axis=1) != labels).all()
    page, without = result._repr_html_(), result.run._repr_html_()
    for text, pictures in ((page, 2), (without, 1)):
        found = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', text)
        assert len(found) == pictures
        for svg in [base64.b64decode(picture).decode() for picture in found]:
            assert "<script" not in svg
            assert "onerror=alert(1)>" not in svg
        assert "<script" not in text
        assert "test accuracy</th>" in text
    sheet = data._repr_html_()
    assert "<script" not in sheet
    assert "<img src=x" not in sheet
    assert sheet.count("data:image/png") == 3


def test_the_bar_of_a_training_that_stops_early_is_full(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=lambda *_, **__: output))
    shown: list[dict[str, str]] = []
    output = SimpleNamespace(update=lambda data, raw: shown.append(data))
    bar = notebook.ProgressBar()
    run: Any = SimpleNamespace(id="one", config=jaxquard.Config(epochs=9))
    bar.begin(run, 10, 0, 90)
    event: Any = SimpleNamespace(kind="stopped", epoch=4, step=40, record=None)
    bar.event(event)
    assert shown[-1]["text/plain"] == "one · epoch 4 of 9 · stopped early"
    assert 'value="40" max="40"' in shown[-1]["text/html"]


def test_without_the_extra_a_line_says_how_to_install_it(stripes: Dataset, tmp_path, monkeypatch):
    result = jaxquard.train(jaxquard.Config(hidden=(4,), epochs=1, batch_size=20), data=stripes, runs=tmp_path)
    monkeypatch.setattr("jaxquard.charts.chart.find_spec", lambda name: None)
    assert "<p>charts need the extra" in result._repr_html_()
