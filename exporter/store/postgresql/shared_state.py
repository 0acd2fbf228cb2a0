"""The state in PostgreSQL, as the program uses it: which targets this replica owns, and the state of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.domain.replicas import RETRY_INTERVAL
from exporter.runtime import boot_time
from exporter.store.postgresql.errors import UnavailableError
from exporter.store.postgresql.partition import Partition
from exporter.store.postgresql.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.domain.replicas import Replica, ReplicaStatus
    from exporter.domain.target_identity import ConfiguredTarget
    from exporter.runtime import Host
    from exporter.store.postgresql.session import Session
    from exporter.store.table_store import TableStore

STOP_TIMEOUT = 4.0  # seconds for the last commits and the hand-over when the program stops, after a lock timeout

logger = structlog.get_logger()


class SharedState:
    """Shares the targets with other replicas. Thread-safe."""

    def __init__(
        self,
        session: Session,
        replica: Replica,
        host: Host,
        *,
        on_write_failure: Callable[[], None],
        boot_time: Callable[[], float] = boot_time,
    ) -> None:
        """Connect. Raise StartupError if the database refuses the connection. An unreachable database is retried later.

        The id of the replica belongs to this process only. After a restart, a replica has another id.
        """
        self._changed = host.condition()
        self._has_changed = self._is_closed = False
        self._owners_changed: Callable[[], None] = lambda: None
        self._follower = host.thread("state-owners", self._follow)
        self._session = session
        self._writer = Writer(session, replica, host, boot_time, on_write_failure)
        self._coordinator = self._writer.coordinator
        self._writer.on_change = self._notify
        self.address = session.address
        try:
            self._writer.open()
        except UnavailableError as error:
            self._writer.error = str(error)
            logger.warning("database cannot be reached, trying again", database=self.address, error=str(error))

    @property
    def is_up(self) -> bool:
        """Whether the last statement succeeded and no other replica can have taken over."""
        # The writer reports an error once a second attempt has failed. The first one may have taken seconds.
        return not self._writer.error and not self._session.has_failed and self._coordinator.is_fresh()

    def unready(self) -> str | None:
        """Return why it is not known yet which targets this replica owns; None once it is."""
        return None if self._coordinator.has_beaten else f"database {self.address}: {self._writer.error}"

    def start(self, owners_changed: Callable[[], None]) -> None:
        """Start to share targets, and call a function in a thread whenever `owned` may have changed."""
        self._owners_changed = owners_changed
        self._writer.start()
        self._follower.start()

    def configure(self, targets: Sequence[ConfiguredTarget]) -> None:
        """Share these targets from now on, and hand over all others."""
        self._coordinator.keys.configured = targets
        self._writer.beat_soon()

    def owned(self, targets: Sequence[ConfiguredTarget]) -> Mapping[str, Partition]:
        """Return the state of each of the targets that this replica owns, by name."""
        partitions, leaving = self._coordinator.partitions, self._coordinator.leaving
        keys = {target.name: self._coordinator.keys.key(target) for target in targets}
        return {name: partitions[key] for name, key in keys.items() if key in partitions and key not in leaving}

    def unreadable(self, targets: Sequence[ConfiguredTarget]) -> Mapping[str, str]:
        """Return the errors of the owned targets whose rows this replica cannot read, by name."""
        errors = self._coordinator.unreadable
        keys = {target.name: self._coordinator.keys.key(target) for target in targets} if errors else {}
        return {name: errors[key] for name, key in keys.items() if key in errors}

    def hand_over(self, store: TableStore) -> None:
        """Pass on a target whose sources this replica does not poll any more."""
        self._writer.hand_over(_partition(store))

    def is_continued(self, store: TableStore) -> bool:
        """Return whether another replica exposes the sources of a handed-over target."""
        return self._coordinator.is_continued(_partition(store))

    def replicas(self) -> Sequence[ReplicaStatus]:
        """Return the live replicas with their targets, as of the last beat."""
        return self._coordinator.members.status(self._coordinator.replica.id)

    def differing_targets(self) -> Sequence[str]:
        """Return the keys of targets that live replicas do not have with the same settings, as of the last beat."""
        return self._coordinator.members.differing_targets()

    def close(self, timeout: float = STOP_TIMEOUT) -> None:
        """Write pending changes, hand over all targets, and disconnect; give up after a timeout in seconds."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._session.hurry()
        self._writer.stop(timeout)
        self._session.end()

    def _notify(self) -> None:
        with self._changed:
            self._has_changed = True
            self._changed.notify_all()

    def _follow(self) -> None:
        """Call `owners_changed` after each change, and each second, until the state is closed."""
        while True:
            with self._changed:
                if not self._has_changed:
                    self._changed.wait(RETRY_INTERVAL)
                self._has_changed = False
                if self._is_closed:
                    return
            try:
                self._owners_changed()
            except Exception:
                # Without this thread, targets that this replica takes over would not be polled.
                logger.exception("change of owners not applied, trying again")


def _partition(store: TableStore) -> Partition:
    if not isinstance(store, Partition):
        raise TypeError(f"{store} is not a state in this database")
    return store
