"""The place of the state: a file of this process, or a database that replicas share."""

from __future__ import annotations

import socket
import uuid
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.aws.rds_token import request_rds_token
from exporter.domain.replicas import Replica
from exporter.errors import StartupError
from exporter.store import MEMORY, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from exporter.config import StateConfig
    from exporter.domain.replicas import ReplicaStatus
    from exporter.domain.target_identity import ConfiguredTarget
    from exporter.runtime import Host
    from exporter.store.postgresql import Archive, DatabaseSettings
    from exporter.store.table_store import TableStore


logger = structlog.get_logger()


class State(Protocol):
    """The state of all targets of the configuration, and which of them this process owns."""

    @property
    def address(self) -> str:
        """The path or the URL, without a password."""

    @property
    def is_up(self) -> bool:
        """Whether the state can be read and written; never blocks."""

    def start(self, owners_changed: Callable[[], None]) -> None:
        """Start to share targets, and call a function in a thread whenever `owned` may have changed."""

    def unready(self) -> str | None:
        """Return why it is not known yet which targets this process owns; None once it is known."""

    def configure(self, targets: Sequence[ConfiguredTarget]) -> None:
        """Replace the targets of the configuration. This process does not poll other targets any more."""

    def owned(self, targets: Sequence[ConfiguredTarget]) -> Mapping[str, TableStore]:
        """Return the state of each of the targets that this process owns, by name."""

    def unreadable(self, targets: Sequence[ConfiguredTarget]) -> Mapping[str, str]:
        """Return the targets that this process owns but does not poll, because their state cannot be read.

        The result has the errors by the names of the targets.
        """

    def hand_over(self, store: TableStore) -> None:
        """Pass a target that is not polled any more to another replica."""

    def is_continued(self, store: TableStore) -> bool:
        """Return whether another replica now exposes the sources of a target that this process handed over or lost."""

    def replicas(self) -> Sequence[ReplicaStatus]:
        """Return the live replicas with their targets; empty if state is not shared."""

    def differing_targets(self) -> Sequence[str]:
        """Return the keys of targets that live replicas do not have with the same settings."""

    def close(self, timeout: float = ...) -> None:
        """Write pending changes, and hand over all targets; give up after a timeout in seconds."""


@dataclass(frozen=True, slots=True)
class StateContext:
    """The services that a state uses: clocks and threads, the address of the pages, the counter of failed writes."""

    host: Host
    address: str
    on_write_failure: Callable[[], None]


class LocalState:
    """A state file, which belongs to this process only."""

    def __init__(self, store: Store, path: str) -> None:
        self._store = store
        self.address = path

    @property
    def is_up(self) -> bool:
        """Whether the last write succeeded."""
        return self._store.is_written

    def start(self, owners_changed: Callable[[], None]) -> None:
        """Do nothing: no other process can have the file open."""

    def unready(self) -> str | None:
        """Return None: the file is open."""

    def configure(self, targets: Sequence[ConfiguredTarget]) -> None:
        """Do nothing: every target is owned."""

    def owned(self, targets: Sequence[ConfiguredTarget]) -> Mapping[str, TableStore]:
        """Return the file for every target."""
        return {target.name: self._store for target in targets}

    def unreadable(self, targets: Sequence[ConfiguredTarget]) -> Mapping[str, str]:  # noqa: ARG002 (the protocol's)
        """Return no targets: a file that cannot be read is moved aside, and replaced by a new one."""
        return {}

    def hand_over(self, store: TableStore) -> None:
        """Do nothing: there is no other replica."""

    def is_continued(self, store: TableStore) -> bool:  # noqa: ARG002 (the protocol's)
        """Return False: there is no other replica."""
        return False

    def replicas(self) -> Sequence[ReplicaStatus]:
        """Return no replicas."""
        return ()

    def differing_targets(self) -> Sequence[str]:
        """Return no targets: there is no other replica."""
        return ()

    def close(self, timeout: float = 0.0) -> None:  # noqa: ARG002 (no write to a file can be waited for)
        """Write pending changes, and close the file."""
        self._store.close()


def check_state(config: StateConfig) -> None:
    """Raise StartupError if the settings of a database cannot be used. Do not connect to it."""
    if config.url is not None:
        _postgresql().connection_parameters(_database(config), lambda _: "")


def open_state(config: StateConfig, context: StateContext) -> State:
    """Open the state of a configuration; raise StartupError if it cannot be used."""
    if config.url is None:
        return LocalState(Store(config.path, context.on_write_failure), config.path)
    package, host = _postgresql(), context.host
    session = package.Session(_database(config), package.Watchdog(host), request_rds_token)
    replica = Replica(uuid.uuid4().hex, socket.gethostname(), context.address)
    state: State = package.SharedState(session, replica, host, on_write_failure=context.on_write_failure)
    return state


def open_copy(config: StateConfig, context: StateContext) -> State:
    """Open a copy in memory, for a command that runs next to an exporter; changes to it are not saved."""
    if config.url is None:
        return LocalState(Store(config.path, context.on_write_failure, as_copy=True), config.path)
    store, address = Store(MEMORY, context.on_write_failure), _database(config).address
    if (rows := open_archive(config, context.host).read()) is not None:
        store.import_rows(rows)
    else:
        logger.warning("database has no state yet, counters start at 0 until an exporter has used it", database=address)
    return LocalState(store, address)


def open_for_one_pass(config: StateConfig, context: StateContext) -> State:
    """Open a file, or a copy of a database, because a command of one pass does not become a replica."""
    return open_state(config, context) if config.url is None else open_copy(config, context)


def open_archive(config: StateConfig, host: Host) -> Archive:
    """Return the whole state in the database of a configuration, not connected yet."""
    archive: Archive = _postgresql().Archive(_database(config), request_rds_token, host)
    return archive


def _database(config: StateConfig) -> DatabaseSettings:
    settings: DatabaseSettings = _postgresql().DatabaseSettings(
        config.url or "", config.password_file, iam_auth=config.iam_auth
    )
    return settings


def _postgresql() -> ModuleType:
    """Return the package for PostgreSQL; raise StartupError if the extra that it needs is not installed."""
    try:
        return import_module("exporter.store.postgresql")
    except ImportError as error:
        raise StartupError(
            f"state.url needs psycopg ({error}): install qbusiness-exporter[postgresql], or use state.path"
        ) from error
