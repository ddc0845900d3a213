"""What every lesson must have; and each on a small scale, with made-up clothes."""

import dataclasses
import json
import re
import string

import pytest

from jaxquard.config import Config
from jaxquard.errors import UsageError
from jaxquard.lessons import NAMES, find, listing
from jaxquard.lessons.experiment import Scale
from jaxquard.lessons.page import markdown, write
from jaxquard.lessons.run import definition, facts_of, guess, run, shipped, to_json, with_verdict


@pytest.mark.parametrize("name", NAMES)
def test_every_lesson_has_all_its_texts(name: str):
    lesson = find(name)
    for words in ("question", "claim", "source", "background", "method", "try_next"):
        assert len(getattr(lesson, words)) > 15, words
    assert list(lesson.choices) == list(string.ascii_uppercase[: len(lesson.choices)])
    assert len(lesson.choices) >= 2
    assert {"holds", "does not hold"} <= set(lesson.take_home)
    assert list(lesson.scales) == ["quick", "default", "full"]
    assert "Nielsen" in lesson.source or "original" in lesson.source


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", ["quick", "default", "full"])
def test_every_experiment_is_configs_over_five_seeds_or_more(name: str, scale):
    lesson = find(name)
    configs = lesson.configs(lesson.scales[scale])
    assert configs
    for config in configs.values():
        assert isinstance(config, Config)
        assert config.seeds == lesson.scales[scale].seeds >= 5


def test_the_list_has_what_the_command_promises():
    assert [set(one) for one in listing()] == [
        {"name", "question", "claim", "source", "seconds", "verdict"} for _ in NAMES
    ]
    assert len({one["question"] for one in listing()}) == len(NAMES)


def test_an_unknown_lesson_suggests_the_nearest():
    with pytest.raises(UsageError, match=r"baselnes.*did you mean baselines\?"):
        find("baselnes")


def test_the_definition_depends_on_configs_and_scale_but_not_on_texts():
    lesson = find("baselines")
    reworded = dataclasses.replace(lesson, claim="something else", try_next="nothing")
    assert definition(reworded, "full") == definition(lesson, "full") != definition(lesson, "quick")


def test_the_definition_is_not_changed_by_a_default_without_effect(monkeypatch):
    lesson = find("baselines")
    before, usual = definition(lesson, "full"), Config.to_dict
    monkeypatch.setattr(Config, "to_dict", lambda self: usual(self) | {"temperature": 2.0})
    assert definition(lesson, "full") == before
    monkeypatch.setattr(Config, "to_dict", lambda self: usual(self) | {"learning_rate": 0.3})
    assert definition(lesson, "full") != before


@pytest.mark.parametrize("name", NAMES)
def test_shipped_results_have_the_present_definition_and_no_name_twice(name):
    result = shipped(name)
    assert result is not None
    assert result["definition"] == definition(find(name), "full")
    assert not result["scale"].keys() & result["facts"].keys()


def test_the_definition_depends_on_all_code_that_measuring_uses(monkeypatch):
    from jaxquard.lessons.claims import calibration, compiler
    from jaxquard.lessons.lab import Lab
    from jaxquard.lessons.run import used

    names = {name.removeprefix("jaxquard.lessons.") for name in used(find("compiler").measure, Lab)}
    assert {
        "claims.compiler.time_ways",
        "claims.compiler.make_ways",
        "claims.compiler.UPDATES",
        "experiment.make_arms",
    } <= names
    assert not {"claims.compiler.conclude", "claims.compiler.draw", "claims.compiler.ratios"} & names
    assert "jaxquard.lessons.bench.by_hand" in used(find("backprop").measure)
    for module, name, constant in ((compiler, "UPDATES", {}), (calibration, "ANGLES", (0, 90))):
        lesson = find(module.__name__.rpartition(".")[2])
        before = definition(lesson, "full")
        monkeypatch.setattr(module, name, constant)
        assert definition(lesson, "full") != before


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ('def f(x, y):\n    """Other words."""\n    return x + 2 * y', True),
        ("def f(x, y):  # a comment\n\n    return x + 2 * y", True),
        ("def f(\n    x, y\n):\n    return (\n        x\n        + 2 * y\n    )", True),
        ("def f(x, y):\n    return x + 3 * y", False),
        ("def f(x, y):\n    return x + 2.0 * y", False),
        ("def f(y, x):\n    return x + 2 * y", False),
        ("@cache\ndef f(x, y):\n    return x + 2 * y", False),
    ],
)
def test_the_definition_depends_on_code_and_not_on_its_layout(changed, same):
    import ast

    from jaxquard.lessons.run import syntax

    code = 'def f(x, y):\n    """Words."""\n    return x + 2 * y'
    assert (syntax(ast.parse(changed)) == syntax(ast.parse(code))) is same


def test_too_few_images_are_refused(clothes):
    lesson = find("baselines")
    with pytest.raises(UsageError, match="needs 15,000 training images, and clothes has 2,000"):
        run("baselines", lesson, "default", clothes)


@pytest.fixture(scope="module")
def programs_on_disk(tmp_path_factory):
    """Lessons share programs: what one has compiled, others load."""
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    settings = {"jax_compilation_cache_dir": str(tmp_path_factory.mktemp("programs"))}
    settings |= {"jax_persistent_cache_min_compile_time_secs": 0, "jax_persistent_cache_min_entry_size_bytes": -1}
    before = {name: getattr(jax.config, name) for name in settings}
    compilation_cache.reset_cache()
    for name, value in settings.items():
        jax.config.update(name, value)
    yield
    compilation_cache.reset_cache()
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.mark.check
@pytest.mark.usefixtures("programs_on_disk")
@pytest.mark.parametrize("name", NAMES)
def test_on_a_small_scale_it_runs_from_question_to_page(name: str, clothes, tmp_path):
    small = Scale(train=600, validation=200, epochs=2, seeds=5)
    lesson = dataclasses.replace(find(name), scales={"quick": small})
    ticks: list[tuple[str, float]] = []
    result = run(name, lesson, "quick", clothes, lambda label, done: ticks.append((label, done)))
    assert ticks
    assert result["verdict"] in ("holds", "does not hold", "cannot tell")
    assert result["answer"] in (*lesson.choices, None)
    assert result["comparisons"]

    again = json.loads(to_json(result))
    charts = lesson.draw(again["measured"])
    assert with_verdict(lesson, again) == again
    for verdict in ("holds", "does not hold", "cannot tell"):  # every verdict has a text
        page = markdown(again | {"verdict": verdict}, lesson, charts, ["x.svg"] * len(charts))
        assert not re.search(r"\{\w*\}", page)
    result["prediction"] = guess(result, lesson, "A")
    written = write(tmp_path, result, lesson, suffixes=(".svg",), overwrite=False)
    assert {path.suffix for path in written} == {".json", ".md", ".svg"}
    assert all(chart.table for chart in charts)
    assert set(facts_of(result)) >= {"train", "validation", "epochs", "seeds"}
