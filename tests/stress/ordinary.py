"""Ordinary tests, which `make test` and `make check` also run. The promise holds if they pass."""

import subprocess
import sys
from pathlib import Path

from common import Row

ROOT = Path(__file__).parents[2]
PROMISES = (
    (
        "If JAX, the processor or the number of threads is not the checkpoint's, resume warns that bits may differ",
        "tests/runs/test_train.py tests/runs/test_environment.py",
        "bits_may_differ or may_change_bits",
    ),
    (
        "No code in the package unpickles, evaluates or unpacks what it reads: checked in every file's syntax tree",
        "tests/test_safety.py",
        "",
    ),
    (
        "Damaged runs and hostile files give one or two lines and an exit code at the command line, never a traceback",
        "tests/cli",
        "damaged or hostile",
    ),
    (
        "NaN or infinity in data, loss, gradient or weights is refused, or detected and named by the next step, exit 4",
        "tests/runs/test_divergence.py tests/training/test_fit.py tests/training/test_evaluation.py tests/cli",
        "diverge or divergence or not_finite or _lost or all_nan",
    ),
    (
        "Data with a constant column, an empty class, one class, one example or too few labels are used or refused",
        "tests/cli tests/data/test_dataset.py",
        "odd_data or disagree or one_class",
    ),
    (
        "Accuracy counts all examples, whatever the batch size",
        "tests/training/test_evaluation.py tests/test_api.py",
        "any_number_of_images or scikit_learns or agrees_with_the_training",
    ),
    (
        "An evaluation on other data of the same shape says so before it prints results",
        "tests/cli tests/test_api.py",
        "other_data_says_so_first or known_to_be_other",
    ),
    ("A reader of the journal never sees half a line", "tests/runs/test_journal.py", ""),
    (
        "`doctor` reports a JAX that computes wrongly, damaged data, low memory or disk, an accelerator unseen by JAX",
        "tests/test_doctor.py",
        "",
    ),
    (
        "Of several processes, one that never comes, dies, is silent or does not go on is named in one line",
        "tests/distributed/test_hub.py tests/distributed/test_member.py",
        "is_named or gives_up or says_why or longest_time",
    ),
    (
        "Several processes end together: none outlives another that was hit, nor its launcher",
        "tests/distributed/test_launching.py",
        "is_hit or stops_all_ranks",
    ),
    (
        "With `--restarts`, the processes of a run that lost one start again and end with the same bits",
        "tests/distributed/test_launching.py",
        "with_restarts",
    ),
    (
        "Two processes with one id, and other settings or data than those of rank 0, are refused on every rank",
        "tests/distributed/test_hub.py tests/distributed/test_member.py",
        "refused",
    ),
    (
        "Images in main memory give the same bits as those on the device, also if resumed within an epoch",
        "tests/training/test_feeding.py tests/training/test_shards.py",
        "bits",
    ),
)


def measure(short: bool = False) -> list[Row]:
    """Every promise (short: the first two)."""
    return [
        Row(promise, named(files, words), "all pass", passes(files, words))
        for promise, files, words in PROMISES[: 2 if short else None]
    ]


def named(files: str, words: str) -> str:
    """The names of the tests, as text."""
    places = ", ".join(f"`{place}`" for place in files.split())
    return f"{places}: tests named {words}" if words else places


def passes(files: str, words: str, *, longer: bool = True) -> bool:
    """Whether the tests in these files whose names contain one of these words exist and all pass."""
    marks = "check or not check" if longer else "not check"
    command = [sys.executable, "-m", "pytest", *files.split(), "-k", words, "-m", marks, "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-3000:])
    return done.returncode == 0
