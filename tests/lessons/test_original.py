"""docs/ORIGINAL.md reports each lesson's verdict as the lesson's own result has it."""

import re

from jaxquard.lessons.book import DOCS
from jaxquard.lessons.page import SAID
from jaxquard.lessons.run import shipped


def test_the_verdicts_on_the_original_readme_are_those_of_the_lessons():
    text = (DOCS.parent / "ORIGINAL.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| \*\*([^*]+?)\.?\*\*.*\[[a-z-]+\]\(lessons/([a-z-]+)\.md\) \|$", text, re.MULTILINE)
    assert len(rows) >= 14
    for verdict, name in rows:
        result = shipped(name)
        assert result is not None
        assert verdict.lower() == SAID[result["verdict"]], name
