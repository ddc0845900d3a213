"""The page's own modules by themselves: what they do with text that means harm, and with more wishes than time."""

import math

import pytest
from playwright.sync_api import expect

from jaxquard.studio import curves

pytestmark = pytest.mark.check

LESSON = """## What was done

Trained *twice*, with **care** and `--seeds 5`: see
[the book](https://example.org/book), not [this](javascript:alert(1)).

> A claim
> of two lines.

| what | mean |
| --- | --: |
| a \\| b | 1.5 |

1. one
2. two
   and more

```python
if a < b:

    pass
```

<img src=x onerror=alert(1)> &amp; <script>alert(1)</script>

---
"""


def rendered(ask, markdown: str) -> str:
    body = "return modules['views/markdown'].rendered(given).map((block) => block.outerHTML).join('\\n')"
    return ask(body, "views/markdown", given=markdown)


def test_a_lessons_text_becomes_elements(ask):
    html = rendered(ask, LESSON)
    assert "<h2>What was done</h2>" in html
    assert "<p>Trained <em>twice</em>, with <strong>care</strong> and <code>--seeds 5</code>: see " in html
    assert '<a href="https://example.org/book" rel="noreferrer">the book</a>' in html
    assert "<blockquote><p>A claim of two lines.</p></blockquote>" in html
    assert '<th scope="col" class="number">mean</th>' in html
    assert "<td>a | b</td>" in html
    assert "<ol><li>one</li><li>two and more</li></ol>" in html
    assert "<code>if a &lt; b:\n\n    pass</code>" in html
    assert html.endswith("<hr>")


def test_a_lessons_text_never_becomes_markup(ask):
    html = rendered(ask, LESSON)
    assert "<img" not in html
    assert "<script" not in html
    assert "javascript:" not in html
    assert "&lt;img src=x onerror=alert(1)&gt; &amp;amp; &lt;script&gt;" in html


@pytest.mark.parametrize(
    "odd", ["", "\n\n", "#", "|", "```", ">", "- ", "1. ", "*", "**", "[](", "`", "|a|\n|b", "a\n- b\n# c"]
)
def test_odd_text_is_text(ask, odd):
    assert isinstance(rendered(ask, odd), str)


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
        "lazy",
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
        "lazy",
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


@pytest.mark.parametrize("width", [1200, 420])
@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize("epochs", [(3, 4), (5, 30), (30, 31), (40, 2)])
def test_a_drawing_with_other_figures_is_as_if_drawn_anew(ask, networks, epochs, width):
    before, after = (curves.of_run(journal(count, networks)) for count in epochs)
    drawings = ask(
        """
        const { draw } = modules.chart;
        const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
        const place = () => {
          const element = document.createElement("div");
          element.style.cssText = `position: fixed; inset: 0; width: ${given.width}px`;
          document.querySelector("main").replaceChildren(element);
          return element;
        };
        const drawn = async (element, chart) => {
          draw(element, chart);
          while (!element.querySelector(".plot svg")) await wait(20);
          await wait(100); // idle again: the next wish is done at once
          await draw(element, chart);
          return element.querySelector(".plot svg");
        };
        // labels: of nobody's use, the page hides the drawing from whoever cannot see it, and says it in a sentence
        const plain = (svg) => svg.outerHTML.replace(/clip\\d+/g, "clip").replace(/ aria-label="[^"]*"/g, "");
        const answers = [];
        for (const [old, chart] of given.charts) {
          const element = place();
          const first = await drawn(element, old);
          const changed = await drawn(element, chart);
          const [kept, text] = [first === changed, plain(changed)];
          answers.push([kept, text, plain(await drawn(place(), chart))]);
        }
        return answers;
        """,
        "chart",
        given={"charts": list(zip(before, after, strict=True)), "width": width},
    )
    if width == 1200:  # so wide that it is drawn at its own width, whatever is beside the plot
        for _, changed, fresh in drawings:
            assert sorted(changed.split("<")) == sorted(fresh.split("<"))  # what is new is drawn last
    if (epochs[0] > 11) == (epochs[1] > 11):  # up to there every epoch has a tick
        assert all(kept for kept, _, _ in drawings)


@pytest.mark.parametrize("networks", [1, 3])
def test_figures_by_name_draw_the_same(ask, networks):
    pairs = ask(
        """
        const { vegaEmbed } = modules.vega;
        const { apart, together } = modules.figures;
        const tooltip = { disableDefaultStyle: true };
        const options = { mode: "vega-lite", ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip };
        const svg = async (spec) => {
          const element = document.createElement("div");
          await vegaEmbed(element, spec, options);
          return element.innerHTML.replace(/clip\\d+/g, "clip");
        };
        return Promise.all(given.map(async ({ spec }) => [await svg(spec), await svg(together(apart(spec)))]));
        """,
        "figures",
        "vega",
        given=curves.of_run(journal(7, networks)),
    )
    assert len(pairs) >= 4
    for plain, by_name in pairs:
        assert "<path" in plain
        assert plain == by_name


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
        "lazy",
    )
    assert done == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.1235"), (12, "12"), (123456.7, "123500"), (None, "–"), ("a", "a"), (-1e-9, "-1e-9")],
)
def test_figures_are_told_to_four_digits(ask, value, text):
    assert ask("return modules.chart.shown(given)", "chart", given=value) == text


def test_a_server_that_is_full_is_not_said_to_be_gone(ask):
    said = ask(
        """
        const refusal = JSON.stringify({ error: "as many pages are open as there can be" });
        window.fetch = async () => new Response(refusal, { status: 503, headers: { "Retry-After": "60" } });
        const events = new modules.events.Events();
        const lost = new Promise((resolve) => events.on("lost", resolve));
        events.listen();
        return (await lost).said;
        """,
        "events",
    )
    assert said == "as many pages are open as there can be"


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
        "chart",
    )
    assert drawn == [1, 0, 0]


def test_a_chart_library_that_did_not_come_is_asked_for_again_and_figures_that_were_closed_stay_closed(page, ask):
    page.route("**/static/vega.js*", lambda route: route.abort())
    chart = curves.of_run(journal(3, 1))[0]
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
        "chart",
        given=chart,
    )
    assert failed == [True, False]
    page.unroute("**/static/vega.js*")
    page.evaluate("again()")
    expect(page.locator(".plot svg")).to_be_visible()
