"""Where the other processes are: options, variables, clusters."""

import os

import pytest

from jaxquard.distributed.places import Place, place
from jaxquard.errors import UsageError

SLURM = {"SLURM_JOB_ID": "77", "SLURM_STEP_NODELIST": "node[07-09]", "SLURM_NTASKS": "3", "SLURM_STEP_NUM_TASKS": "3"}
SLURM |= {"SLURM_PROCID": "2", "SLURM_LOCALID": "0"}
MPI = {"OMPI_MCA_orte_hnp_uri": "1314521088.0;tcp://10.96.0.1,10.148.0.1:43370", "OMPI_COMM_WORLD_SIZE": "4"}
MPI |= {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "1"}
OWN = {"JAXQUARD_COORDINATOR": "[::1]:4000", "JAXQUARD_PROCESS_ID": "0", "JAXQUARD_PROCESSES": "2"}
TRAINER = {"JAX_COORDINATOR_ADDRESS": "job-0:29500", "JAX_PROCESS_ID": "3", "JAX_NUM_PROCESSES": "4"}
NOTHING = (None, None, None)


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    for name in os.environ:
        if name.startswith(("SLURM_", "OMPI_", "JAX_", "JAXQUARD_", "KUBERNETES_")) or name == "JOB_COMPLETION_INDEX":
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("options", "variables", "found"),
    [
        (NOTHING, {}, None),
        (("10.0.0.1:4321", 1, 2), {}, Place("10.0.0.1", 4321, 1, 2)),
        (NOTHING, OWN, Place("::1", 4000, 0, 2)),
        (("h:1", 1, None), OWN, Place("h", 1, 1, 2)),  # an option goes before its variable
        (NOTHING, TRAINER, Place("job-0", 29500, 3, 4)),
        (NOTHING, {"JAX_COORDINATOR_ADDRESS": "job-0:29500"}, None),
        (NOTHING, SLURM, Place("node07", 61517, 2, 3, [0])),
        (NOTHING, SLURM | {"SLURM_STEP_NUM_TASKS": "1"}, None),  # a shell in an allocation of three
        (NOTHING, SLURM | OWN, Place("::1", 4000, 0, 2)),
        ((None, None, 1), SLURM, None),  # several tasks that have nothing to do with one another
        (NOTHING, MPI, Place("10.96.0.1", 62880, 1, 4, [1])),
        (NOTHING, MPI | {"OMPI_COMM_WORLD_SIZE": "1"}, None),
    ],
)
def test_a_process_finds_its_place(options, variables, found, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert place(*options) == found


@pytest.mark.parametrize(
    ("options", "variables", "words"),
    [
        (("h:1", None, None), {}, "--process-id and --processes"),
        ((None, 0, 2), {}, "--coordinator"),
        (("h", 0, 2), {}, "HOST:PORT"),
        (("h:x", 0, 2), {}, "HOST:PORT"),
        (("h:99999", 0, 2), {}, "port"),
        (("h:1", 2, 2), {}, "process_id: must be at least 0 and at most 1"),
        (("h:1", 0, 0), {}, "processes"),
        (NOTHING, OWN | {"JAXQUARD_PROCESSES": "two"}, "processes: must be a whole number"),
        (NOTHING, SLURM | {"SLURM_PROCID": "x"}, "cannot be found"),
        (NOTHING, {"JOB_COMPLETION_INDEX": "0"}, "--coordinator, --process-id and --processes"),
    ],
)
def test_a_place_that_is_incomplete_or_wrong_is_refused_in_one_line(options, variables, words, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as error:
        place(*options)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("node1", False)])
def test_only_this_machine_reaches_a_loopback_address(host, local):
    assert Place(host, 1, 0, 1).is_loopback == local
