"""Trains every kind of network for two epochs by the processes and devices there are. Then it resumes runs that were
stopped within an epoch, with the images in main memory.

`python matrix.py DATA RUNS HALVES NAMES [--fault]`, once for each process, with JAXQUARD_COORDINATOR and so on for
several. HALVES has runs to resume; if it is RUNS, they are made. With `--fault`, sums depend on the number of devices.
"""

import contextlib
import shutil
import sys
from pathlib import Path

from jaxquard import Config, api
from jaxquard.compilation import keep_compiled_programs
from jaxquard.distributed.member import Member
from jaxquard.distributed.places import place
from jaxquard.runs.interrupts import Interrupted
from jaxquard.runs.train import Observer
from jaxquard.training import feeding, shards
from jaxquard.training.processes import ALONE

SMALL = Config(batch_size=16, epochs=2, learning_rate=0.05, shards=8, validation=40)
STOP = 7  # a step of the second epoch
MLP = SMALL.replace(hidden=(6,))
CNN = SMALL.replace(model="cnn", widths=(4,), batch_norm=True, shift=1, flip=True)
KINDS = {"mlp": MLP, "dropout": MLP.replace(dropout=0.3), "cnn": CNN}
CONFIGS = {
    f"{kind}-{name}": config.replace(optimizer=name) for kind, config in KINDS.items() for name in ("sgd", "muon")
}


def stopping() -> Observer:
    """Stops a training at the step STOP."""
    steps = [0]
    return Observer(event=lambda event: steps.append(event.step), should_stop=lambda: steps[-1] == STOP)


def main(data: str, runs: Path, halves: Path, names: list[str]) -> None:
    """Train and resume all of them."""
    found, member = place(None, None, None), None
    keep_compiled_programs()
    if found:
        member = Member(found)
        member.connect_jax()

    def train(config: Config | None, **options: object) -> None:
        if member and not member.first:
            options = {name: value for name, value in options.items() if name not in ("resume", "name")}
            api.follow(config, member, devices="all", runs=runs, **options)
        else:
            api.train(config, processes=member or ALONE, devices="all", runs=runs, **options)

    feeding.PART = 3 * SMALL.batch_size * 6 * 6  # bytes of the images of three steps
    for name in names:
        config = CONFIGS[name].replace(dataset=data)
        train(config, name=f"{name}-whole")
        if halves == runs:
            with contextlib.suppress(Interrupted):
                train(config, name=f"{name}-half", checkpoint_every=STOP, observer=stopping())
        else:
            if not member or member.first:
                shutil.copytree(halves / f"{name}-half", runs / f"{name}-half")
            train(None, resume=f"{name}-half", data_on="host")
    if member:
        member.leave(0)


if __name__ == "__main__":
    if "--fault" in sys.argv:
        shards._tree_sum = lambda rows: sum(rows[1:], rows[0])
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4].split(","))
