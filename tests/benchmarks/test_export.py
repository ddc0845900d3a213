"""The page on exports is drawn from the results, which are those of PyTorch and of files that were written."""

import json

from benchmarks import report
from benchmarks.export import PAGE, RESULTS, section


def test_the_page_is_drawn_from_the_results():
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    assert report.replace_section(page, "export", section(found)) == page
    assert all(one["difference"] <= 1e-5 for one in found["torch"].values())
