"""The processes that train one run together, as the training knows them. `jaxquard.distributed` joins several."""

from typing import Any


class Processes:
    """A training's only process. A subclass is one of several, which all make the same calls in the same order.

    `first`: this process writes the run and shows the progress; all others write nothing. `stopping`: all processes
    have agreed to stop at the present step.
    """

    first, count, stopping = True, 1, False

    def agree(self, steps: int) -> int:
        """The number of steps to run now: the smallest that a process proposes. Sets `stopping`."""
        return steps

    def asked_to_stop(self, asked: bool) -> bool:
        """Whether to stop at this step, if this process was `asked` to."""
        return asked

    def report(self, doing: str, step: int) -> None:
        """Note that this process has reached a step, and what it does next."""

    def exchange(self, value: Any) -> list[Any]:
        """The values of all processes, which are plain data, in the order of the processes."""
        return [value]

    def share(self, data: bytes) -> bytes:
        """The first process's `data`."""
        return data


ALONE = Processes()
