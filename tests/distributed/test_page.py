"""The commands of docs/SCALING.md, on a small data set."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "SCALING.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SLURM = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2"}
SLURM |= {"SLURM_STEP_NUM_TASKS": "2"}


def start(line: str, npz: Path, **variables: str) -> subprocess.Popen[str]:
    """A command of the page, with a quick training."""
    words = shlex.split(line.replace("--dataset fashion-mnist", f"--dataset {shlex.quote(str(npz))} --epochs 1"))
    assert words[0] == "jaxquard"
    if "--dataset" in words:
        words += ["--hidden", "5", "--batch-size", "40"]
    patience = {"JAXQUARD_JOIN_SECONDS": "120"}
    command, environment = [sys.executable, "-m", *words], os.environ | patience | variables
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


@pytest.mark.check
def test_the_commands_of_the_page_work(npz, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in SHELL:
        if "srun" in block:
            line = re.findall(r"^srun (.*)", block, re.MULTILINE)[0].replace("$HOME/", "")
            tasks = ({"SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)} for task in range(2))
            started = [start(line, npz, **SLURM, **task) for task in tasks]
        else:
            started = [start(line, npz) for line in block.splitlines()]  # together
        said = [process.communicate(timeout=300)[1] for process in started]
        assert [process.returncode for process in started] == [0] * len(started), said
    assert len(list((tmp_path / "runs").iterdir())) == 5
