"""Charts from journals and results: plain Python and NumPy data in, a `Chart` out, `save` to PNG, SVG or HTML.

Functions that draw never train and never read a run: the caller passes the figures. A chart is a Vega-Lite description
in a dictionary. Only `save` needs the extra `jaxquard[charts]`.
"""

from jaxquard.charts.card import training_card
from jaxquard.charts.chart import Chart, data_table, need_renderer, paths_of, save
from jaxquard.charts.curves import learning_curves
from jaxquard.charts.dots import dot_plot
from jaxquard.charts.evaluation import confusion_matrix, reliability, surest_mistakes, verdict
from jaxquard.charts.lines import lines
from jaxquard.charts.pictures import montage

__all__ = [
    "Chart",
    "confusion_matrix",
    "data_table",
    "dot_plot",
    "learning_curves",
    "lines",
    "montage",
    "need_renderer",
    "paths_of",
    "reliability",
    "save",
    "surest_mistakes",
    "training_card",
    "verdict",
]
