"""The measurement on an accelerator runs whole in its trial form, and the page is drawn from its results."""

import pytest

from benchmarks import report
from benchmarks.accelerator import CNN, main, measure, section
from benchmarks.bench import PAGE, RESULTS, read
from benchmarks.process import ChildFailed, Outcome


@pytest.mark.check
def test_the_trial_measures_everything_on_a_cpu(tmp_path, capfd):
    assert main(["--trial", "--results", str(tmp_path)]) == 0
    (file,) = tmp_path.iterdir()
    assert file.name == "accelerator-cpu.json"
    rows = {row["measure"]: row for row in read(file)}
    assert len(rows) == 9
    assert all(row["ours"]["median"] > 0 for row in rows.values())
    assert rows["One epoch of all of 2 original MLPs, batch 128"]["best_peer"] == "one after another"
    assert f"| {CNN}: peak memory | MB | " in capfd.readouterr().out


def test_a_contestant_that_fails_takes_no_further_part(capsys):
    def fails(k: int) -> Outcome:
        raise ChildFailed("out of memory")

    outcomes, failures = measure({"a": lambda k: Outcome(float(k), 1.0, {}), "b": fails}, 2)
    assert {name: len(ran) for name, ran in outcomes.items()} == {"a": 2}
    assert failures == 1
    assert capsys.readouterr().err.count("out of memory") == 1


def test_without_an_accelerator_only_the_trial_runs(tmp_path, capfd):
    assert main(["--results", str(tmp_path)]) == 1
    assert "JAX sees no accelerator here" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert section(tmp_path) == "Not measured."


def test_the_page_is_drawn_from_the_results():
    page = PAGE.read_text(encoding="utf-8")
    assert report.replace_section(page, "accelerator", section(RESULTS)) == page
