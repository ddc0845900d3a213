"""The page's own modules by themselves: what they do with text that means harm, and with more wishes than time."""

import math

import pytest

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


@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize("epochs", [(3, 4), (5, 30), (30, 31), (40, 2)])
def test_a_drawing_with_other_figures_is_as_if_drawn_anew(ask, networks, epochs):
    before, after = (curves.of_run(journal(count, networks)) for count in epochs)
    drawings = ask(
        """
        const { draw } = modules.chart;
        const main = document.querySelector("main");
        const place = () => {
          const element = document.createElement("div");
          element.style.cssText = "position: fixed; inset: 0; width: 1200px";
          main.replaceChildren(element);
          return element;
        };
        const drawn = async (element, chart) => {
          for (let n = 0; n < 2; n += 1) { // the first time it may not be in sight yet
            draw(element, chart);
            await new Promise((resolve) => setTimeout(resolve, 250));
          }
          return element.querySelector(".plot svg");
        };
        // labels: of nobody's use, the page hides the drawing from whoever cannot see it, and says it in a sentence
        const plain = (svg) => svg.outerHTML.replace(/clip\\d+/g, "clip").replace(/ aria-label="[^"]*"/g, "");
        const answers = [];
        for (const [old, chart] of given) {
          const element = place();
          const first = await drawn(element, old);
          const changed = await drawn(element, chart);
          const [kept, text] = [first === changed, plain(changed)];
          answers.push([kept, text, plain(await drawn(place(), chart))]);
        }
        return answers;
        """,
        "chart",
        given=list(zip(before, after, strict=True)),
    )
    for _, changed, fresh in drawings:
        assert sorted(changed.split("<")) == sorted(fresh.split("<"))  # what is new is drawn last
    if min(epochs) > 11:
        assert all(kept for kept, _, _ in drawings)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.1235"), (12, "12"), (123456.7, "123500"), (None, "–"), ("a", "a"), (-1e-9, "-1e-9")],
)
def test_figures_are_told_to_four_digits(ask, value, text):
    assert ask("return modules.chart.shown(given)", "chart", given=value) == text
