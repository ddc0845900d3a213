"""Prints docs/SKLEARN.md, the results of scikit-learn's own checks. `make docs-sklearn` writes the file."""

import os

os.environ["SCIPY_ARRAY_API"] = "1"  # before SciPy is imported: without it, scikit-learn skips a check

import sklearn
from sklearn.utils.estimator_checks import check_estimator

from jaxquard.sklearn import JaxquardClassifier

INTRODUCTION = """\
# JaxquardClassifier, and scikit-learn's checks of it

```python
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from jaxquard.sklearn import JaxquardClassifier

X, y = load_digits(return_X_y=True)
search = GridSearchCV(JaxquardClassifier(epochs=20), {{"hidden": [(32,), (128, 64)]}}, n_jobs=2).fit(X, y)
print(search.best_params_, search.best_score_)
```

`pip install "jaxquard[sklearn]"` installs scikit-learn, 1.6 or newer. `help(JaxquardClassifier)` describes the
parameters; those of `jaxquard.Config` have the same names and meaning. But the defaults of four differ:
`optimizer="adam"`, `learning_rate=0.001`, `epochs=100` and `patience=10`. Rows are standardised: each feature by
itself, or, with `image_shape`, all pixels together. Rows are sorted by their content before the training. So their
order does not matter, and a row with the weight 2 has the same effect as two equal rows.

To export a network, let `fit` save a run: after `JaxquardClassifier(runs="saved").fit(X, y)`,
`jaxquard.export(jaxquard.list_runs(runs="saved")[0], to="onnx")` writes the newest. It takes standardised rows.

These are the checks of `sklearn.utils.estimator_checks.check_estimator` in scikit-learn {version}, with their results.
None is expected to fail. `make docs-sklearn` writes this page; `make check` runs the checks.
"""


def page() -> str:
    """The whole page. A check that is there twice has its number in brackets."""
    results = check_estimator(JaxquardClassifier(), on_skip=None, on_fail=None)
    lines = []
    for number, result in enumerate(results):
        name = result["check_name"]
        earlier = sum(other["check_name"] == name for other in results[:number])
        lines.append(f"- `{name}`{f' ({earlier + 1})' if earlier else ''}: {result['status']}")
        if result["exception"]:
            lines.append(f"  {result['exception']}"[:300])
    return INTRODUCTION.format(version=sklearn.__version__) + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
