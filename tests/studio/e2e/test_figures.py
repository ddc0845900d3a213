"""The page's modules for texts, figures, charts and requests."""

import math

import pytest
from playwright.sync_api import expect

from jaxquard.charts import theme
from jaxquard.studio import charts

pytestmark = pytest.mark.check

RESULTS = {
    "words.written({ learning_rate: [0.1, 0.01] })": "learning_rate: 0.1, 0.01",
    "words.written([['l2', [0, 1]]])": "l2, 0, 1",
    "words.written(null)": "not set",
    "words.written(false)": "false",
    "words.written(0.319012167)": "0.319012",
    "draw.sentence({ label: null, probability: null })": "no answer: the network’s logits are not finite",
    "chart.shown(0.123456)": "0.1235",
    "chart.shown(12)": "12",
    "chart.shown(123456.7)": "123500",
    "chart.shown(null)": "–",
    "chart.shown('a')": "a",
    "chart.shown(-1e-9)": "-1e-9",
    "palette.SERIES": list(theme.COLORS),
    # ticks are round numbers, and epochs are whole
    "plot.linear([0.5, 1.5], 8, true)": [1],
    "plot.linear([1, 2], 8, true)": [1, 2],
    "plot.linear([1, 120], 8, true)": [20, 40, 60, 80, 100, 120],
    "plot.linear([0, 0.3], 8)": [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3],
    "plot.linear([-2, 2], 8)": [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2],
    "plot.linear([1e-7, 3e-7], 5)": [1e-7, 1.5e-7, 2e-7, 2.5e-7, 3e-7],
    # a logarithmic axis always has ticks
    "plot.logarithmic([0.003, 20])": [0.01, 0.1, 1, 10],
    "plot.logarithmic([0.15, 0.6])": [0.2, 0.3, 0.4, 0.5, 0.6],
    "plot.logarithmic([1.5, 60])": [2, 5, 10, 20, 50],
    "plot.logarithmic([0.21, 0.24])": [0.21, 0.22, 0.23, 0.24],
}


def test_texts_colours_and_ticks(ask):
    found = ask(f"return [{', '.join(f'modules.{code}' for code in RESULTS)}]")
    assert dict(zip(RESULTS, found, strict=True)) == RESULTS


def journal(epochs: int, networks: int) -> list[dict]:
    """A journal with made-up figures."""

    def figures(start, epoch):
        return [start * math.exp(-epoch / 9) + 0.01 * (epoch * k % 3) for k in range(networks)]

    return [
        {
            "epoch": epoch,
            "step": 10 * epoch,
            "train_loss": figures(1.0, epoch),
            "val_loss": figures(1.1, epoch),
            "train_accuracy": [1 - value for value in figures(0.5, epoch)],
            "val_accuracy": [1 - value for value in figures(0.6, epoch)],
            "grad_norm": {"0": figures(3.0, epoch), "1": figures(0.2, epoch)},
            "dead": {"0": figures(0.1, epoch)},
        }
        for epoch in range(1, epochs + 1)
    ]


def rows(chart: dict) -> dict:
    """(series, epoch) -> [mean, lowest, highest] of a chart."""
    return {(row[0], row[1]): row[2:] for row in chart["table"]["rows"]}


def test_the_curves_of_several_networks_have_mean_and_band_until_one_diverges(ask):
    lines = [
        {"epoch": 1, "step": 10, "val_accuracy": [0.5, 0.7], "grad_norm": {"0": [1, 3], "1": [0, 0]}},
        {"epoch": 2, "step": 20, "val_accuracy": [0.6, None], "grad_norm": {"0": [None, None]}},
        {"epoch": 3, "step": 30, "val_accuracy": [0.7, 0.1], "grad_norm": {"0": [2, 5], "1": [1, 3]}},
    ]
    accuracy, gradients = ask("return modules.curves.curves(given, [], [{ network: 1, step: 25 }])", given=lines)
    assert accuracy["title"] == "Accuracy by epoch"
    assert accuracy["note"] == "Mean of 2 networks; band: from the lowest to the highest."
    assert rows(accuracy) == {
        ("validation", 1): pytest.approx([60, 50, 70]),
        ("validation", 2): pytest.approx([60, 60, 60]),
        ("validation", 3): pytest.approx([70, 70, 70]),
    }
    assert rows(gradients) == {
        ("layer 1", 1): [2, 1, 3],
        ("layer 1", 2): [None, None, None],
        ("layer 1", 3): [2, 2, 2],
        ("layer 2", 1): [None, None, None],  # 0 has no logarithm
        ("layer 2", 3): [1, 1, 1],
    }


def test_the_curves_of_a_sweep_have_a_series_for_each_setting_and_only_the_first_layer(ask):
    lines = journal(5, 4)
    groups = [{"label": "l2 0.1", "networks": [0, 2]}, {"label": "l2 0.2", "networks": [1, 3]}]
    accuracy, loss, gradients, dead = ask("return modules.curves.curves(...given)", given=[lines, groups])
    mean = (lines[0]["val_loss"][1] + lines[0]["val_loss"][3]) / 2
    assert rows(loss)["l2 0.2: validation", 1][0] == pytest.approx(mean)
    assert accuracy["note"].endswith("Solid: validation; dashed: training.")
    assert gradients["title"] == "How large the gradient is in the first layer"
    assert rows(gradients)["l2 0.1", 2][0] == pytest.approx(sum(lines[1]["grad_norm"]["0"][::2]) / 2)
    assert {series for series, _ in rows(dead)} == {"l2 0.1", "l2 0.2"}


def test_every_chart_of_a_run_has_a_curve_on_its_canvas_and_figures_at_the_pointer(ask):
    body = """
    const { SERIES, shade } = modules.palette;
    const wanted = shade(SERIES[0]).slice(1).match(/../g).map((part) => parseInt(part, 16));
    return given.flatMap((lines) => modules.curves.curves(lines)).map((chart) => {
      const canvas = document.createElement("canvas");
      document.querySelector("main").replaceChildren(canvas);
      const read = modules.plot.plot(canvas, 480, chart.plot);
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) count += wanted.every((value, k) => data[i + k] === value);
      return [count, read(0), read(480)];
    });
    """
    drawn = ask(body, given=[journal(epochs, networks) for epochs in (1, 2, 900) for networks in (1, 3)])
    assert len(drawn) == 6 * 4
    assert min(count for count, _, _ in drawn) > 10
    first, last = drawn[8][1:]  # the accuracy of one network over two epochs
    assert first.startswith("epoch 1: validation 46.3, training 55.3")
    assert last.startswith("epoch 2: ")


def test_only_the_latest_of_many_requests_is_done(ask):
    body = """
    const done = [];
    let wish = 0;
    const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const lazy = new modules.lazy.Lazy(document.querySelector("main"), async () => {
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
    """
    done = ask(body)
    assert 1 < len(done) < 20
    assert done[-1] == 20


def test_an_urgent_request_during_the_work_skips_the_pause(ask):
    body = """
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    let done = 0;
    const work = async () => {
      done += 1;
      await wait(100);
    };
    const lazy = new modules.lazy.Lazy(document.querySelector("main"), work, 40); // a pause of four seconds
    lazy.ask();
    while (!done) await wait(10);
    lazy.ask(true); // during the work
    for (let n = 0; n < 50 && done < 2; n += 1) await wait(20);
    lazy.end();
    return done;
    """
    assert ask(body) == 2


def test_work_for_an_invisible_element_waits(ask):
    body = """
    const [spacer, element] = [document.createElement("div"), document.createElement("p")];
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
    """
    assert ask(body) == [True]


def test_a_full_server_is_not_reported_as_gone(ask):
    body = """
    const refusal = JSON.stringify({ error: "as many pages are open as there can be" });
    window.fetch = async () => new Response(refusal, { status: 503, headers: { "Retry-After": "60" } });
    return new Promise((resolve) => {
      const stream = new modules.stream.Stream("", ({ type, data }) => {
        stream.close();
        resolve([type, data.said]);
      });
      stream.open();
    });
    """
    assert ask(body) == ["lost", "as many pages are open as there can be"]


def test_a_late_chart_of_a_closed_view_is_not_drawn(ask):
    """A late answer to a view that the reader has left."""
    body = """
    const chart = { name: "x", spec: { title: "T" }, sentence: "S", table: { columns: [], rows: [] } };
    const place = () => document.querySelector("main").appendChild(document.createElement("div"));
    const [kept, left, never] = [place(), place(), place()];
    modules.chart.draw(kept, chart);
    modules.chart.draw(left, chart);
    [left, never].forEach(modules.chart.erase);
    left.replaceChildren();
    [left, never].forEach((element) => modules.chart.draw(element, chart));
    return [kept, left, never].map((element) => element.childElementCount);
    """
    assert ask(body) == [1, 0, 0]


def test_a_chart_library_that_failed_is_loaded_again_and_closed_figures_stay_closed(page, ask):
    page.route("**/static/vega.js*", lambda route: route.abort())
    body = """
    window.place = document.createElement("div");
    document.querySelector("main").replaceChildren(place);
    console.error = () => {}; // the page reports the error, as it should
    window.again = () => modules.chart.draw(place, given);
    again();
    const details = place.querySelector("details");
    const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    while (!place.textContent.includes("could not be drawn")) await wait(20);
    const first = details.open;
    details.open = false;
    await again();
    return [first, details.open];
    """
    assert ask(body, given=charts.of_runs({"run": journal(3, 1)})[0]) == [True, False]
    page.unroute("**/static/vega.js*")
    page.evaluate("again()")
    expect(page.locator(".plot svg")).to_be_visible()
