"""The page's own modules by themselves: what they do with text that means harm, and with more wishes than time."""

import json
import math

import pytest
from playwright.sync_api import expect

from jaxquard.charts import theme
from jaxquard.runs.directory import Run
from jaxquard.studio import charts

pytestmark = pytest.mark.check


def test_the_latest_wish_is_done_and_not_every_one(ask):
    done = ask(
        """
        const done = [];
        let wish = 0;
        const { Lazy } = modules.lazy;
        const element = document.querySelector("main");
        const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        const lazy = new Lazy(element, async () => {
          const asked = wish;
          await rest(50);
          done.push(asked);
        });
        while (wish < 20) {
          wish += 1;
          lazy.ask();
          await rest(10);
        }
        await rest(300);
        lazy.end();
        return done;
        """,
    )
    assert 1 < len(done) < 20
    assert done[-1] == 20


def test_what_is_out_of_sight_waits(ask):
    done = ask(
        """
        const element = document.createElement("p");
        element.textContent = "far below";
        const spacer = document.createElement("div");
        spacer.style.height = "9000px";
        document.querySelector("main").append(spacer, element);
        const done = [];
        const lazy = new modules.lazy.Lazy(element, () => done.push(scrollY > 5000));
        await new Promise((r) => setTimeout(r, 100));
        lazy.ask();
        await new Promise((r) => setTimeout(r, 200));
        element.scrollIntoView();
        await new Promise((r) => setTimeout(r, 300));
        lazy.end();
        return done;
        """,
    )
    assert done == [True]


def journal(epochs: int, networks: int) -> list[dict]:
    """Made-up figures of a training."""

    def figures(start, epoch):
        return [start * math.exp(-epoch / 9) + 0.01 * (epoch * k % 3) for k in range(networks)]

    return [
        {
            "epoch": epoch,
            "train_loss": figures(1.0, epoch),
            "val_loss": figures(1.1, epoch),
            "train_accuracy": [1 - value for value in figures(0.5, epoch)],
            "val_accuracy": [1 - value for value in figures(0.6, epoch)],
            "grad_norm": {"0": figures(3.0, epoch), "1": figures(0.2, epoch)},
            "dead": {"0": figures(0.1, epoch)},
        }
        for epoch in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("networks", [1, 3])
def test_a_run_under_way_is_drawn_with_the_figures_that_it_has_at_rest(ask, networks):
    lines = journal(7, networks)
    if networks > 1:
        lines[3]["val_loss"][1] = None  # diverged there
        lines[4]["grad_norm"]["1"] = [None] * networks
    live = ask("return modules.curves.curves(given)", given=lines)
    rest = charts.of_run(lines)
    assert [one["name"] for one in live] == [one["name"] for one in rest]
    for drawn, chart in zip(live, rest, strict=True):
        assert drawn["title"].replace("’", "'") == " ".join(chart["spec"]["title"]["text"])
        table = chart["table"]["rows"]
        rows = {(row[0], row[1]): row[2:] for row in drawn["table"]["rows"]}
        assert set(rows) == {(row[0], row[1]) for row in table}
        for series, epoch, *figures in table:
            if networks == 1:
                figures = [figures[0], None, None]
            assert rows[series, epoch] == pytest.approx(figures)


def test_a_sweep_is_drawn_by_setting_alike_live_and_at_rest(ask):
    lines = journal(5, 4)
    groups = [{"label": "l2 0.1", "networks": [0, 2]}, {"label": "l2 0.2", "networks": [1, 3]}]
    live = ask("return modules.curves.curves(...given)", given=[lines, groups])
    rest = charts.of_run(lines, groups)
    for drawn, chart in zip(live, rest, strict=True):
        assert drawn["title"].replace("’", "'") == " ".join(chart["spec"]["title"]["text"])
        rows = {(row[0], row[1]): row[2] for row in drawn["table"]["rows"]}
        assert rows == {(row[0], row[1]): pytest.approx(row[2]) for row in chart["table"]["rows"]}
    assert {row[0] for row in live[2]["table"]["rows"]} == {"l2 0.1", "l2 0.2"}
    mean = (lines[0]["val_loss"][1] + lines[0]["val_loss"][3]) / 2
    first = next(row for row in live[1]["table"]["rows"] if row[:2] == ["l2 0.2: validation", 1])
    assert first[2] == pytest.approx(mean)


def test_a_network_that_diverged_has_no_figures_from_there_on_live_and_at_rest(ask, tmp_path):
    lines = [line | {"step": 10 * line["epoch"]} for line in journal(4, 2)]
    event = {"event": "diverged", "step": 22, "bad_step": 21, "network": 1, "quantity": "loss"}
    run = Run(tmp_path)
    run.journal_file.write_text("".join(json.dumps(line) + "\n" for line in [*lines, event]))
    rest = charts.of_run(charts.lines_of(run))
    diverged = [{"network": 1, "step": 21, "quantity": "loss"}]
    live = ask("return modules.curves.curves(...given)", given=[lines, [], diverged])
    for drawn, chart in zip(live, rest, strict=True):
        rows = {(row[0], row[1]): row[2] for row in drawn["table"]["rows"]}
        assert rows == {(row[0], row[1]): pytest.approx(row[2]) for row in chart["table"]["rows"]}
    assert rows["layer 1", 3] == pytest.approx(100 * lines[2]["dead"]["0"][0])


def test_the_page_and_the_charts_have_the_same_colours(ask):
    assert ask("return modules.palette.SERIES", "palette") == list(theme.COLORS)


@pytest.mark.parametrize(
    ("ends", "whole", "ticks"),
    [
        ((0.5, 1.5), True, [1]),
        ((1, 2), True, [1, 2]),
        ((1, 120), True, [20, 40, 60, 80, 100, 120]),
        ((0, 0.3), False, [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]),
        ((-2, 2), False, [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2]),
        ((1e-7, 3e-7), False, [1e-7, 1.5e-7, 2e-7, 2.5e-7, 3e-7]),
    ],
)
def test_ticks_are_round_numbers_and_epochs_are_whole(ask, ends, whole, ticks):
    found = ask(
        "return modules.plot.linear(...given)",
        given=[ends, 8 if ends != (1e-7, 3e-7) else 5, whole],
    )
    assert found == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("ends", "ticks"),
    [
        ((0.003, 20), [0.01, 0.1, 1, 10]),
        ((0.15, 0.6), [0.2, 0.3, 0.4, 0.5, 0.6]),
        ((1.5, 60), [2, 5, 10, 20, 50]),
        ((0.21, 0.24), [0.21, 0.22, 0.23, 0.24]),
    ],
)
def test_a_logarithmic_axis_always_has_ticks(ask, ends, ticks):
    assert ask("return modules.plot.logarithmic(given)", given=ends) == pytest.approx(ticks)


@pytest.mark.parametrize("epochs", [1, 2, 900])
@pytest.mark.parametrize("networks", [1, 3])
def test_every_chart_of_a_run_under_way_has_its_curve_on_the_canvas(ask, networks, epochs):
    inked = ask(
        """
        const charts = modules.curves.curves(given);
        const { SERIES, shade } = modules.palette;
        return charts.map((chart) => {
          const canvas = document.createElement("canvas");
          document.querySelector("main").replaceChildren(canvas);
          modules.plot.plot(canvas, 480, chart.plot);
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const wanted = shade(SERIES[0]).slice(1).match(/../g).map((part) => parseInt(part, 16));
          let count = 0;
          for (let i = 0; i < data.length; i += 4) count += wanted.every((value, k) => data[i + k] === value);
          return count;
        });
        """,
        given=journal(epochs, networks),
    )
    assert len(inked) >= 4
    assert min(inked) > 10


def test_a_wish_that_cannot_wait_ends_a_rest_that_has_not_begun(ask):
    done = ask(
        """
        const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        let done = 0;
        const work = async () => {
          done += 1;
          await wait(100);
        };
        const lazy = new modules.lazy.Lazy(document.querySelector("main"), work, 40); // a rest of four seconds
        lazy.ask();
        while (!done) await wait(10);
        lazy.ask(true); // the work goes on
        for (let n = 0; n < 50 && done < 2; n += 1) await wait(20);
        lazy.end();
        return done;
        """,
    )
    assert done == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.1235"), (12, "12"), (123456.7, "123500"), (None, "–"), ("a", "a"), (-1e-9, "-1e-9")],
)
def test_figures_are_told_to_four_digits(ask, value, text):
    assert ask("return modules.chart.shown(given)", given=value) == text


def test_a_server_that_is_full_is_not_said_to_be_gone(ask):
    said = ask(
        """
        const refusal = JSON.stringify({ error: "as many pages are open as there can be" });
        window.fetch = async () => new Response(refusal, { status: 503, headers: { "Retry-After": "60" } });
        return new Promise((resolve) => {
          const stream = new modules.stream.Stream("", ({ type, data }) => {
            stream.close();
            resolve([type, data.said]);
          });
          stream.open();
        });
        """,
    )
    assert said == ["lost", "as many pages are open as there can be"]


def test_what_is_drawn_too_late_is_for_nobody(ask):
    """The answer to a question that was asked by a view which the reader has left."""
    drawn = ask(
        """
        const chart = { name: "x", spec: { title: "T" }, sentence: "S", table: { columns: [], rows: [] } };
        const place = () => document.querySelector("main").appendChild(document.createElement("div"));
        const [kept, left, never] = [place(), place(), place()];
        modules.chart.draw(kept, chart);
        modules.chart.draw(left, chart);
        [left, never].forEach(modules.chart.erase);
        left.replaceChildren();
        [left, never].forEach((element) => modules.chart.draw(element, chart));
        return [kept, left, never].map((element) => element.childElementCount);
        """,
    )
    assert drawn == [1, 0, 0]


def test_a_chart_library_that_did_not_come_is_asked_for_again_and_figures_that_were_closed_stay_closed(page, ask):
    page.route("**/static/vega.js*", lambda route: route.abort())
    chart = charts.of_run(journal(3, 1))[0]
    failed = ask(
        """
        window.place = document.createElement("div");
        document.querySelector("main").replaceChildren(place);
        console.error = () => {}; // it is told of, and this time that is no fault
        window.again = () => modules.chart.draw(place, given);
        again();
        const details = place.querySelector("details");
        const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        while (!place.textContent.includes("could not be drawn")) await wait(20);
        const first = details.open;
        details.open = false;
        await again();
        return [first, details.open];
        """,
        given=chart,
    )
    assert failed == [True, False]
    page.unroute("**/static/vega.js*")
    page.evaluate("again()")
    expect(page.locator(".plot svg")).to_be_visible()
