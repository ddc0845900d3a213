"""A chart as the page gets it: what to draw, what to say, and what to put in the table."""

from typing import Any

from jaxquard.charts import Chart


def drawn(name: str, chart: Chart) -> dict[str, Any]:
    """`{"name", "spec", "sentence", "table": {"columns", "rows"}}`, ready for JSON."""
    columns = list(chart.table[0])
    rows = [[row[column] for column in columns] for row in chart.table]
    return {
        "name": name,
        "spec": chart.spec,
        "sentence": chart.description,
        "table": {"columns": columns, "rows": rows},
    }
