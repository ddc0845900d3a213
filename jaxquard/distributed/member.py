"""One of several processes that train a run: its connection to the hub, and its end."""

import contextlib
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaxquard.distributed.hub import Hub
from jaxquard.distributed.places import Place
from jaxquard.distributed.wire import PING, Limits, Wire
from jaxquard.errors import JaxquardError
from jaxquard.runs.interrupts import INTERRUPTED, Interrupts
from jaxquard.streams import say
from jaxquard.training.processes import Processes

LEAVING = 5.0  # seconds to wait for the hub, or for the other ranks to end


class Member(Processes):
    """This process, connected to the hub. JaxquardError if that cannot be reached."""

    def __init__(self, place: Place) -> None:
        self.place, self.limits = place, Limits.of_environment()
        self.launched = "JAXQUARD_LAUNCHED" in os.environ  # then the hub is in the launcher
        self.first, self.count, self.stopping = place.number == 0, place.total, False
        self.is_asked: Callable[[], bool] = lambda: False
        self.asked, self.training, self.spoken, self.step = False, False, False, 0
        self.welcome, self.values, self.alone = queue.Queue[Any](), queue.Queue[Any](), threading.Event()
        self.hosts = [place.host] * place.total
        self.wire = self._connect()
        self.wire.send(rank=place.number, count=place.total, host=socket.gethostname())
        threading.Thread(target=self._listen, daemon=True).start()

    # what the training calls

    def agree(self, steps: int) -> int:
        """The smallest number of steps that a process proposes; sets `stopping` if any process was asked to stop."""
        self.training = True
        values = self.exchange([steps, self.asked or self.is_asked()])
        self.stopping = any(asked for _, asked in values)
        self.wire.send(doing="training", step=self.step)
        return min(proposed for proposed, _ in values)

    def asked_to_stop(self, asked: bool) -> bool:
        """Whether all processes have agreed to stop at this step. If this one was `asked` to, they soon will."""
        self.asked |= asked
        return self.stopping

    def report(self, doing: str, step: int) -> None:
        """Tell the hub."""
        self.step = step
        self.wire.send(doing=doing, step=step)

    def exchange(self, value: Any) -> list[Any]:
        """Every process's value, in order. The hub ends this process if one of them does not come."""
        self.wire.send(value=value)
        return self.values.get()

    def share(self, data: bytes) -> bytes:
        """The first process's bytes, through JAX."""
        import numpy as np
        from jax.experimental.multihost_utils import broadcast_one_to_all

        size = self.exchange(len(data))[0]
        array = np.frombuffer(data, np.uint8) if self.first else np.zeros(size, np.uint8)
        return np.asarray(broadcast_one_to_all(array)).tobytes() if self.count > 1 else data

    # its beginning and its end

    def connect_jax(self) -> None:
        """Wait for all ranks, then start `jax.distributed`, bound to the coordinator's address only."""
        hosts, address = self.welcome.get()
        self.hosts = hosts
        if self.count == 1:
            return
        import jax

        jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM
        if self.place.is_loopback:
            _keep_gloo_local()
        _keep_stdout()
        with _without_proxies():
            jax.distributed.initialize(
                address,
                self.count,
                self.place.number,
                local_device_ids=self.place.devices,
                cluster_detection_method="deactivate",
                coordinator_bind_address=address,
                initialization_timeout=int(self.limits.compile),
                heartbeat_timeout_seconds=10**6,  # the hub watches
                shutdown_timeout_seconds=1,
            )

    def begin(self, run: Path) -> None:
        """The run is there."""
        self.wire.send(run=os.path.abspath(run))

    def leave(self, code: int, line: str = "", said: bool = True) -> None:
        """End the process: JAX's own way out hangs or aborts when another rank has died. `said`: `line` is on stderr.

        After a failure the hub decides which rank is at fault. Otherwise rank 0 is the last to go, because the others
        abort when JAX's service ends.
        """
        self.spoken = said and bool(line)
        self.wire.send(ends=code, line=line, said=said)
        if code not in (0, INTERRUPTED):
            time.sleep(LEAVING)  # the hub ends this process
        if self.first and self.count > 1:
            self.alone.wait(LEAVING)
        self._exit(code, "" if said else line)

    def watch(self, interrupts: Interrupts) -> None:
        """From now on, a signal asks all processes to stop."""
        interrupts.training, earlier = True, self.is_asked()
        self.is_asked = lambda: earlier or interrupts.asked

    def _exit(self, code: int, line: str = "") -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        if line:
            say(f"jaxquard: {line}")
        os._exit(code)

    def _connect(self) -> Wire:
        """A connection to the hub, which rank 0 starts unless a launcher has done so."""
        if self.first and not self.launched:
            with contextlib.suppress(OSError):  # another process has the port, perhaps with the same id: it will tell
                hub = Hub(listen(self.place.host, self.place.port), self.place.total, self.limits)
                threading.Thread(target=_serve, args=(hub,), daemon=True).start()
        end = time.monotonic() + self.limits.join
        while True:
            try:
                return Wire(socket.create_connection((self.place.host, self.place.port), timeout=1.0))
            except OSError as error:
                if time.monotonic() > end:
                    where, waited = f"{self.place.host}:{self.place.port}", f"within {self.limits.join:g} s"
                    raise JaxquardError(
                        f"rank {self.place.number}: the coordinator {where} cannot be reached {waited} "
                        f"({error.strerror or error}); JAXQUARD_JOIN_SECONDS sets how long to wait"
                    ) from None
                time.sleep(0.1)

    def _listen(self) -> None:
        """A thread: what the hub says, and signs of life for it."""
        heard = pinged = time.monotonic()
        while True:
            messages, now = self.wire.receive(PING), time.monotonic()
            if messages is None:
                self._lost("closed its connection")
            for message in messages or ():
                self._hear(message)
            if now - pinged > self.limits.silent:  # this process was asleep itself
                heard = now
            heard = now if messages else heard
            if now - heard > self.limits.silent:
                self._lost(f"silent for {now - heard:.0f} s")
            if now - pinged >= PING:
                pinged = now
                asked = {"asked": True} if self.training is False and self.is_asked() else {}
                self.wire.send(ping=True, **asked)

    def _hear(self, message: dict[str, Any]) -> None:
        if "welcome" in message:
            self.welcome.put((message["welcome"], message["jax"]))
        if "values" in message:
            self.values.put(message["values"])
        if "alone" in message:
            self.alone.set()
        if "stop" in message:
            self.asked = True
            if not self.training:
                self._exit(INTERRUPTED, "interrupted" * self.first)
        if "end" in message:
            if self.first:
                self.alone.wait(PING)
            self._exit(message["end"], "" if self.spoken or not message.get("here", True) else message["line"])

    def _lost(self, how: str) -> None:
        """The hub is gone."""
        at = f"at step {self.step}" if self.step else "before the first step"
        self._exit(1, "the launcher has ended" if self.launched else f"rank 0 on {self.hosts[0]}: {how} {at}")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens at this address alone."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def _serve(hub: Hub) -> None:
    """The hub in rank 0, until the process ends."""
    while True:
        hub.poll(0.1)
        if verdict := hub.verdict():
            code = INTERRUPTED if hub.stopping else verdict.code
            for rank in hub.ranks.values():  # a fault of a single rank is said once
                rank.wire.send(end=code, line=verdict.line, here=verdict.rank is None or rank.number == 0)


def _keep_stdout() -> None:
    """XLA writes about its connections to descriptor 1, which is then no longer Python's stdout."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        own = os.dup(sys.stdout.fileno())
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stdout = open(own, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors)  # noqa: SIM115 - open until the end


@contextlib.contextmanager
def _without_proxies() -> Iterator[None]:
    """gRPC would reach the coordinator through a proxy."""
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    try:
        for name in proxies:
            del os.environ[name]
        yield
    finally:
        os.environ.update(proxies)


def _keep_gloo_local() -> None:
    """Collectives on a CPU then listen on the loopback interface, not on that of the host's name."""
    from functools import partial

    from jaxlib import _jax  # pyright: ignore[reportAttributeAccessIssue]

    extension: Any = _jax
    extension.make_gloo_tcp_collectives = partial(extension.make_gloo_tcp_collectives, hostname="127.0.0.1")
