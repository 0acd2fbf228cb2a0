"""The thread that uses the database: it renews the lease, and commits waiting changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.domain.replicas import BEAT_INTERVAL, RETRY_INTERVAL
from exporter.errors import StartupError
from exporter.store.postgresql.commits import Commits
from exporter.store.postgresql.coordinator import Coordinator
from exporter.store.postgresql.errors import MissingTableError, UnavailableError
from exporter.store.postgresql.retention import Retention
from exporter.store.postgresql.schema import prepare_to_write

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.replicas import Replica
    from exporter.runtime import Host
    from exporter.store.postgresql.partition import Partition
    from exporter.store.postgresql.session import Session

LEAVE_LOCK_TIMEOUT = "250ms"
LEAVE_COMMIT_SECONDS = 1.0  # attempts for the last commits, if the database rejects some of them

AWAY = "database not reached, keeping changes in memory"
REJECTED = "database does not accept writes, keeping changes in memory"

logger = structlog.get_logger()


class Writer:
    """Runs everything that needs the database in one thread, with one connection.

    A waiting commit ends with its transaction, or once the database proves not to accept it. After that, commits do not
    wait: changes stay in memory, and are retried each second, after a beat.
    """

    def __init__(
        self,
        session: Session,
        replica: Replica,
        host: Host,
        boot_time: Callable[[], float],
        on_write_failure: Callable[[], None],
    ) -> None:
        self._session = session
        self._host = host
        self._on_write_failure = on_write_failure
        self._changed = host.condition()
        self._requested = self._completed = 0
        self._identities: list[Callable[[], None]] = []
        self._hand_overs: list[Callable[[], None]] = []
        self._next_beat = host.monotonic()
        self._is_prepared = self._has_connected = False
        self._is_beating = self._is_away = self._is_reachable = False
        self._reported = ""
        self._stopping = self._has_left = False
        self._stop_deadline = host.monotonic()
        self._rejection = ""
        """Why the database did not accept the last commits of a stop; empty if it accepted all."""
        self._stopped = host.event()
        self._thread = host.thread("state-writer", self._run)
        self.error = "the database was not reached yet"
        """Why the last beat or commit failed; empty if both succeeded."""
        self.coordinator = Coordinator(session, replica, boot_time, self)
        self._commits = Commits(session, self.coordinator)
        self._retention = Retention(session, boot_time, replica.id)
        self.on_change: Callable[[], None] = lambda: None

    # For any thread.

    def write(self, partition: Partition, *, wait: bool) -> None:  # noqa: ARG002 (one transaction has all that waits)
        """Write the pending changes soon; with `wait`, return after that, or once the database is known to be away."""
        with self._changed:
            self._requested += 1
            own = self._requested
            self._changed.notify_all()
            if wait and self.error:
                self._on_write_failure()
            while wait and self._completed < own and not self.error and not self._stopped.is_set():
                self._changed.wait(BEAT_INTERVAL)

    def identify(self, partition: Partition, target: str, account: str, identity: str) -> None:
        """Record the account of a target, and with it the key of its partition."""
        self._submit(self._identities, lambda: self.coordinator.identify(partition, target, account, identity))

    def hand_over(self, partition: Partition) -> None:
        """Pass on a target after its last commit. It stays owned if the database becomes unreachable before that."""
        self._submit(self._hand_overs, lambda: self.coordinator.hand_over(partition))

    def _submit(self, queue: list[Callable[[], None]], job: Callable[[], None]) -> None:
        with self._changed:
            queue.append(job)
            self._changed.notify_all()

    def beat_soon(self) -> None:
        """Renew the lease immediately, because this replica publishes other targets."""
        with self._changed:
            self._next_beat = self._host.monotonic()
            self._changed.notify_all()

    def open(self) -> None:
        """Connect, and create or migrate the tables. Raise RefusedError or UnavailableError."""
        prepare_to_write(self._session)
        self._is_prepared = True

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Commit waiting changes, hand over all targets, and end the thread; give up after a timeout in seconds.

        A further call waits for the end of the thread. It does not extend the timeout of the first one.
        """
        with self._changed:
            if not self._stopping:
                self._stopping, self._stop_deadline = True, self._host.monotonic() + timeout
            self._changed.notify_all()
        if self._thread.ident is None:
            self._session.close()
            return
        self._stopped.wait(timeout)
        if lost := sum(each.unwritten_sources() for each in self.coordinator.partitions.values()):
            error = self.error or self._rejection or "the database did not respond in time"
            logger.error("last changes not written", data_sources=lost, error=error)

    # For the thread.

    def _run(self) -> None:
        while self._wait():
            self._try(self._step, self._beat)
        self._end()
        self._session.close()
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    def _wait(self) -> bool:
        """Wait for work; return False once the thread has to end."""
        with self._changed:
            while not self._stopping:
                remaining = self._next_beat - self._host.monotonic()
                has_work = self._identities or self._hand_overs or self._completed < self._requested
                if remaining <= 0 or (has_work and not self.error):
                    return True
                self._changed.wait(remaining)
            return False

    def _try(self, step: Callable[[], None], prepare_again: Callable[[], None]) -> None:
        """Run a step. It counts as failed only if it fails again with a new connection, usually after a beat.

        After a pause, a process finds its connection broken, and another one may have replaced it. Its commits wait for
        a beat that shows this, and are refused. If it continued from memory, it would publish values that it cannot
        commit.

        A step may fail although beats succeed. Example: the disk of the database is full, or an operator's session
        holds a lock on rows.
        """
        try:
            try:
                step()
            except UnavailableError:
                if self.error:
                    raise
                prepare_again()
                step()
        except (UnavailableError, StartupError) as error:
            # All tables are missing in a new database. The next beat creates them, and the owners write everything.
            self._is_prepared &= not (self._is_beating and isinstance(error, MissingTableError))
            self._fail(str(error))
        except Exception as error:
            # A bug must not end the thread. Without it, this replica would poll and never commit.
            logger.exception("state writer failed with an unexpected exception")
            self._session.close()
            self._fail(repr(error))

    def _step(self) -> None:
        """Send a beat if it is due, then commit. The beat comes first, so that no commit delays it."""
        if self._next_beat <= self._host.monotonic():
            self._beat()
        with self._changed:
            requested = self._requested
        self._commits.commit_all()
        if self.coordinator.can_acquire_more():
            self._next_beat = self._host.monotonic()
        for queue in (self._identities, self._hand_overs):
            while queue:
                queue[0]()
                queue.pop(0)
                self.on_change()
        self._retention.check(self.coordinator.members)
        with self._changed:
            self._completed = requested
            self._changed.notify_all()
        if self.error:
            self.error = self._reported = ""
            logger.info("database works again")
            self.on_change()

    def _beat(self) -> None:
        self._is_beating = True
        if not self._is_prepared:
            self.open()
        has_more = self.coordinator.beat(after_outage=self._is_away)
        self._has_connected = True
        self._is_beating = self._is_away = False
        self._is_reachable = True
        self._next_beat = self._host.monotonic() + (0.0 if has_more else BEAT_INTERVAL)
        self.on_change()

    def _end(self) -> None:
        """Commit and hand over; wait for a database that is away, as long as a stop may take.

        Changes that are not written then are lost. Often a database is away for seconds only: it restarts, or fails
        over.
        """
        if self._is_reachable:
            self._try(self._leave, lambda: None)
        while not self._has_left and self.coordinator.has_pending() and self._host.monotonic() < self._stop_deadline:
            with self._changed:
                self._changed.wait(RETRY_INTERVAL)
            self._try(self._leave_after_beat, lambda: None)

    def _leave_after_beat(self) -> None:
        """Commit and hand over after an outage: the beat shows which targets other replicas own by now."""
        self._beat()
        self._leave()

    def _leave(self) -> None:
        """Commit the changes that the database accepts, and hand over all targets whose rows are not locked.

        A lock on the rows of one target must not delay the others, which would have no owner until the lease ends.
        """
        self._session.lock_timeout = LEAVE_LOCK_TIMEOUT
        deadline = self._host.monotonic() + LEAVE_COMMIT_SECONDS
        self._rejection = self._commits.commit_accepted(lambda: self._host.monotonic() < deadline)
        self.coordinator.leave()
        self._has_left = True

    def _fail(self, error: str) -> None:
        if self.coordinator.has_pending():
            self._on_write_failure()
        event = AWAY if self._is_beating else REJECTED
        if event != self._reported:
            logger.error(event, error=error)
            self._reported = event
        self._is_away = self._is_beating and self._has_connected
        self._is_reachable = not self._is_beating
        # This replica continues the targets that it was about to hand over, with their state in memory.
        self.coordinator.keep_all()
        self._hand_overs = []
        with self._changed:
            self.error = error
            self._next_beat = self._host.monotonic() + RETRY_INTERVAL
            self._changed.notify_all()
        self.on_change()
