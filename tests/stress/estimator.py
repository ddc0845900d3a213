"""All of scikit-learn's `check_estimator` on JaxquardClassifier, with the oldest scikit-learn that the extra `sklearn`
allows, in a virtual environment of its own.

`make check` runs the same with the newest: see docs/SKLEARN.md.
"""

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from common import HOME, Row

ROOT = Path(__file__).parents[2]
SCRIPT = f"import runpy; runpy.run_path({str(ROOT / 'tests' / 'sklearn_page.py')!r}, run_name='__main__')"


def measure(short: bool = False) -> list[Row]:
    """All checks (short: in this environment)."""
    python = sys.executable if short else oldest()
    done = subprocess.run([python, "-W", "error", "-c", SCRIPT], capture_output=True, text=True, check=False)
    results = [line for line in done.stdout.splitlines() if line.startswith("- ")]
    failed = [line for line in results if not line.endswith(": passed")]
    print("\n".join([*failed, done.stderr[-3000:]]).strip())
    version = re.findall(r"in scikit-learn (\S+),", done.stdout)
    return [
        Row(
            "JaxquardClassifier passes all of scikit-learn's own checks in the oldest supported release, too",
            f"{len(results) - len(failed)} of {len(results)} in scikit-learn {' '.join(version)}",
            "all",
            bool(results) and not failed and done.returncode == 0,
        )
    ]


def oldest() -> Path:
    """The Python of a new environment with the oldest scikit-learn, and with pandas, which two checks need."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    wanted = extras["sklearn"][0].replace(">=", "==") + ".*"
    venv.create(HOME / "oldest", with_pip=True)
    python = HOME / "oldest" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--editable", ROOT, wanted, "pandas"], check=True)
    return python
