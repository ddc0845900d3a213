"""What every test shares: no test leaves a file behind or reads this machine's settings."""

import os
import tempfile

import pytest

# hypothesis keeps constants it found in the code in ./.hypothesis, even without a database
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", tempfile.mkdtemp(prefix="hypothesis-"))


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that Jaxquard listens to are unset, unless the test sets them."""
    for name in ("JAXQUARD_RUNS", "JAXQUARD_OFFLINE", "JAXQUARD_DEBUG"):
        monkeypatch.delenv(name, raising=False)
