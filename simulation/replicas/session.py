"""The session of a replica on the simulated database, over a network that can fail."""

from __future__ import annotations

from contextlib import contextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING

from exporter.store.postgresql import DatabaseSettings, Session, Watchdog
from exporter.store.postgresql.errors import UnavailableError
from exporter.store.postgresql.watchdog import DEADLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from simulation.replicas.database import SimulatedDatabase, SimulatedTransaction
    from simulation.virtual_clock import VirtualClock
    from simulation.virtual_host import VirtualHost

USUAL_LATENCY = 0.002  # seconds, one way
SLOW_LATENCY = 1.5


class LinkFault(Enum):
    """A fault of the network between a replica and the database."""

    REFUSED = auto()  # nothing listens
    SILENT = auto()  # requests are lost
    DEAF = auto()  # responses are lost, so that the next transaction is committed without the replica's knowledge
    SLOW = auto()


class DatabaseLink:
    """The network between a replica and the database."""

    def __init__(self, database: SimulatedDatabase, clock: VirtualClock, rng: Random) -> None:
        self.database = database
        self._clock = clock
        self._rng = rng
        self._fault: LinkFault | None = None
        self._fault_until = 0.0
        self.on_commit: Callable[[], None] | None = None
        """Called once, when the next transaction is committed and its response is on the way."""
        self.on_send: Callable[[], None] | None = None
        """Called once, when the next transaction is about to be sent."""

    @property
    def fault(self) -> LinkFault | None:
        """The fault in progress."""
        return self._fault if self._clock.now < self._fault_until else None

    def fail(self, fault: LinkFault, until: float) -> None:
        """Begin a fault, which lasts until a time."""
        self._fault, self._fault_until = fault, until

    def send(self, host: VirtualHost) -> None:
        """Wait until a request has arrived; raise UnavailableError if it is lost."""
        if self.on_send:
            self.on_send()
            self.on_send = None
        host.pause(self._latency())
        if self.database.is_down or self.fault is LinkFault.REFUSED:
            raise UnavailableError("connection refused")
        if self.fault is LinkFault.SILENT:
            host.pause(DEADLINE)
            raise UnavailableError("timed out")

    def receive(self, host: VirtualHost) -> None:
        """Wait until the response has arrived; raise UnavailableError if it is lost."""
        if self.on_commit:
            self._clock.after(0.0, self.on_commit)
            self.on_commit = None
        host.pause(self._latency())
        if self.fault in {LinkFault.SILENT, LinkFault.DEAF}:
            self._fault = LinkFault.SILENT  # the first packet of the next connection gets no response
            host.pause(DEADLINE)
            raise UnavailableError("timed out")

    def _latency(self) -> float:
        usual = SLOW_LATENCY if self.fault is LinkFault.SLOW else USUAL_LATENCY
        return usual * self._rng.uniform(0.5, 1.5)


class SimulatedSession(Session):
    """A session that sends nothing over a real network."""

    def __init__(self, link: DatabaseLink, host: VirtualHost, replica: str) -> None:
        super().__init__(DatabaseSettings("postgresql://exporter@simulated/exporter"), Watchdog(host), lambda _: "")
        self._link = link
        self._host = host
        self._replica = replica

    @contextmanager
    def transaction(self) -> Iterator[SimulatedTransaction]:
        """Yield a transaction; raise UnavailableError if it was not committed, or if this is unknown."""
        self._link.send(self._host)
        with self._link.database.transaction(self._replica) as transaction:
            yield transaction
        self._link.receive(self._host)
