"""The journal of a run as event files: scalars, and the settings for TensorBoard's HParams tab.

The journal has no times of epochs: the time of an event is the start of the run, plus the seconds of training so far.
"""

# protobuf makes its classes at run time
# pyright: reportAttributeAccessIssue=false

import io
from collections.abc import Sequence

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import RecordWriter
from tensorboardX.summary import hparams

from jaxquard.config import Config
from jaxquard.errors import RunError
from jaxquard.exporting import without_places
from jaxquard.exporting.csv import figures
from jaxquard.naming import visible
from jaxquard.runs.directory import Run
from jaxquard.runs.journal import own_evaluation

FILE = "events.out.tfevents.jaxquard"


def content(run: Run, networks: Sequence[int]) -> dict[str, bytes]:
    """An event file for each of these networks, in a folder of its name. RunError for a damaged journal or config."""
    run.check_config_is_its_own()
    names, configs = run.network_names(), without_places(run.config).networks()
    return {f"{names[k]}/{FILE}": _event_file(run, k, configs[k]) for k in networks}


def _event_file(run: Run, k: int, config: Config) -> bytes:
    """The settings of network k, its figures of each epoch, and those on the test set."""
    time, step, events = run.started, 0, []
    for line in run.epochs():
        time, step = time + line.get("seconds", 0.0), line.get("step", step)
        found = {visible(figure): values.get(k, values.get("")) for figure, values in figures(run, line)}
        events.append(Event(wall_time=time, step=step, summary=_scalars(found)))
    if tested := _tested(run, k):
        events.append(Event(wall_time=time, step=step, summary=_scalars(tested)))
    tags = {value.tag: 0 for event in events[-2:] for value in event.summary.value}
    first = Event(wall_time=run.started, file_version="brain.Event:2")
    about = [Event(wall_time=run.started, summary=one) for one in _settings(config, tags)]
    return _records([first, *about, *events])


def _tested(run: Run, k: int) -> dict[str, float | None]:
    """The figures of network k on the test set at the end of the training; {} if there are none."""
    test = own_evaluation(run.evaluations())
    try:
        return {f"test_{name}": test[name][k] for name in ("accuracy", "loss")} if test else {}
    except (LookupError, TypeError):
        raise RunError(f"{run.evaluations_file}: has no figures of network {k}") from None


def _scalars(found: dict[str, float | None]) -> Summary:
    """Values by tag; None was not finite."""
    known = {tag: float("nan") if value is None else value for tag, value in found.items()}
    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in known.items()])


def _settings(config: Config, tags: dict[str, int]) -> list[Summary]:
    """The settings that have an effect, for the HParams tab, with the tags of the figures to show there."""
    values = {name: value for name, value in config.to_dict().items() if config.matters(name)}
    texts = {name: " ".join(map(str, value)) for name, value in values.items() if isinstance(value, list)}
    found = hparams(values | texts, tags)
    for summary in found:  # its maps have a random order
        plugin = summary.value[0].metadata.plugin_data
        plugin.content = HParamsPluginData.FromString(plugin.content).SerializeToString(deterministic=True)
    return list(found)


def _records(events: Sequence[Event]) -> bytes:
    """The events as one file."""
    writer = RecordWriter.__new__(RecordWriter)  # its __init__ would open a file
    writer._writer = io.BytesIO()
    for event in events:
        writer.write(event.SerializeToString())
    return writer._writer.getvalue()
