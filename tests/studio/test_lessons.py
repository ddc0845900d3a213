"""The lessons' pages, from stored results."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from jaxquard import lessons
from jaxquard.charts import dot_plot
from jaxquard.lessons.lesson import Finding
from jaxquard.lessons.verdict import above
from jaxquard.studio import lessons as view


def test_the_list_has_every_lesson(get):
    found = get("/api/lessons")["lessons"]
    assert [one["name"] for one in found] == list(lessons.NAMES)
    assert set(found[0]) == {"name", "question", "claim", "source", "seconds", "verdict"}


@pytest.mark.parametrize("name", lessons.NAMES)
def test_every_lesson_has_a_page(get, name):
    found = get(f"/api/lessons/{name}")
    assert found["html"].startswith("<blockquote>\n<p><strong>The claim.</strong>")
    assert "<h1>" not in found["html"]  # the page has the question as its title
    assert not re.search("<img|<a |style=", found["html"])  # the charts are separate


def test_a_lesson_without_results_shows_its_command(get, monkeypatch, tmp_path):
    monkeypatch.setattr(view, "shipped", lambda name: None)
    monkeypatch.chdir(tmp_path)
    found = get("/api/lessons/seeds")
    assert found["charts"] == []
    assert "Run <code>jaxquard lesson seeds</code>" in found["html"]


MEASURED = {"first": [88.1, 88.3, 88.2], "second": [86.0, 86.1, 86.2]}
RESULT = {
    "lesson": "seeds",
    "scale": {"name": "full", "train": 10, "validation": 5, "epochs": 1, "seeds": 3},
    "seconds": 12.0,
    "environment": {"threads": 2, "processor": "P", "jax": "J", "python": "3", "dataset": {"name": "D", "train": 15}},
    "measured": MEASURED,
}


@pytest.mark.parametrize("where", ["shipped", "last"])
def test_a_lesson_with_figures(get, monkeypatch, tmp_path, where):
    def conclude(measured):
        values = [a - b for a, b in zip(measured["first"], measured["second"], strict=True)]
        return Finding([above("the lead", values, 1.0)], None)

    rows = [{"name": name, "values": values} for name, values in MEASURED.items()]
    real = lessons.find("seeds")
    words = {"background": "B", "method": "M", "results": "", "take_home": {"holds": "Take this."}, "try_next": "T"}
    made = replace(real, conclude=conclude, draw=lambda measured: [dot_plot(rows, title="T", x_title="x")], **words)
    monkeypatch.setattr(lessons, "find", lambda name: made)
    monkeypatch.setattr(view, "shipped", lambda name: RESULT if where == "shipped" else None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lessons" / "seeds").mkdir(parents=True)
    (tmp_path / "lessons" / "seeds" / "seeds.json").write_text(json.dumps(RESULT))
    found = get("/api/lessons/seeds")
    assert found["verdict"] == "holds"
    assert [one["name"] for one in found["charts"]] == ["seeds-1"]
    assert "the lead" in found["html"]
    assert "Take this." in found["html"]
    assert "<img" not in found["html"]


TEXT = """## Done

*Twice*, with **care** and `a < b`: see
[it](https://example.org/it).

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

---
"""


def test_markdown_becomes_html():
    found = view.html(TEXT)
    for part in (
        "<h2>Done</h2>",
        "<em>Twice</em>, with <strong>care</strong> and <code>a &lt; b</code>",
        '<a href="https://example.org/it">it</a>',
        "<blockquote>\n<p>A claim\nof two lines.</p>\n</blockquote>",
        '<th scope="col">what</th>\n<th scope="col" class="number">mean</th>',
        '<td>a | b</td>\n<td class="number">1.5</td>',
        "<ol>\n<li>one</li>\n<li>two\nand more</li>\n</ol>",
        "if a &lt; b:\n\n    pass",
        "<hr />",
    ):
        assert part in found


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "a <script src=//x.example></script> b",
        "<img src=x onerror=alert(1)>",
        "<details open ontoggle=alert(1)>\n\nx",
        "<!-- <b> --> <![CDATA[<b>]]> <?php ?>",
        "[x](javascript:alert(1))",
        "[x](JaVaScript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x]( javascript:alert(1) )",
        "[x][1]\n\n[1]: javascript:alert(1)",
        "<javascript:alert(1)>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x) [y](file:///etc/passwd) [z](//x.example) [w](/api/jobs)",
        "![x](data:image/png;base64,AAAA)",
        '[x](https://example.org/"onclick="alert(1) "t\\"onclick=\\"alert(1)")',
        "`<b>` **<b>** *<b>*",
        "```<b>\n<b>\n```",
        "| <b> |\n| :-: |\n| <i style=x> |",
        "## <b onclick=alert(1)>",
        "&lt;script&gt; &#60;b&#62;",
    ],
)
def test_hostile_text_is_escaped(hostile):
    tags = Tags()
    tags.feed(view.html(hostile))
    assert tags.found <= KNOWN


KNOWN = {(tag, ()) for tag in ("p", "h2", "pre", "strong", "em", "table", "thead", "tbody", "tr", "td")}
KNOWN |= {("code", ()), ("code", ("class",)), ("th", ("scope",)), ("a", ("href", "title"))}


class Tags(HTMLParser):
    """Every element that a browser would make, with the names of its attributes; links must lead to the web."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attrs):
        self.found.add((tag, tuple(name for name, _ in attrs)))
        assert dict(attrs).get("href", "https://").startswith("https://")


def test_an_external_image_becomes_a_link():
    assert view.html("![x](https://x.example/i.png)") == '<p>!<a href="https://x.example/i.png">x</a></p>\n'


@pytest.mark.parametrize("name", ["none", "..", "seeds.json", "Seeds"])
def test_a_lesson_is_found_only_by_its_name(ask, name):
    assert ask("GET", f"/api/lessons/{name}").status == 404


def test_a_damaged_result_is_reported(ask, monkeypatch, tmp_path):
    monkeypatch.setattr(view, "shipped", lambda name: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lessons" / "seeds").mkdir(parents=True)
    (tmp_path / "lessons" / "seeds" / "seeds.json").write_text(json.dumps({"lesson": "seeds"}))
    answer = ask("GET", "/api/lessons/seeds")
    assert answer.status == 422
    assert "not the result of this lesson" in answer.json["error"]
