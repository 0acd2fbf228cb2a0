"""Display names, which are resolved once and then saved, because a changed label would start another series."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.model import ContainerId, SourceId
    from exporter.runtime import Event, Host

logger = structlog.get_logger()


class NameStore(Protocol):
    """Keeps resolved names across restarts, as `Store` does."""

    def name(self, key: str) -> str | None:
        """Return a resolved name."""

    def save_name(self, key: str, name: str) -> None:
        """Save a name permanently."""


class _PendingName:
    """A name that one thread is resolving, and the result for all threads that wait for it."""

    def __init__(self, done: Event) -> None:
        self.done = done
        self.result: str | BaseException = ""

    def wait(self) -> str:
        """Return the name, or raise the exception that its request raised."""
        self.done.wait()
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


class DisplayNames:
    """The resolved names of a target's containers and data sources; may be used from any thread."""

    def __init__(self, store: NameStore, host: Host) -> None:
        self._store = store
        self._host = host
        self._mutex = threading.Lock()
        self._pending: dict[str, _PendingName] = {}

    def container(self, container: ContainerId, request: Callable[[], str]) -> str:
        """Return the name of a container; raise ProviderError if it cannot be resolved at the moment."""
        return self._resolve(_container_key(container), container.own, request)

    def data_source(self, source: SourceId, request: Callable[[], str]) -> str:
        """Return the name of a data source; raise ProviderError if it cannot be resolved at the moment."""
        return self._resolve(f"data_source/{source}", source.data_source_id, request)

    def resolved(self, source: SourceId) -> tuple[str | None, str | None]:
        """Return the saved names of a source's outermost container and of the source itself, without a request."""
        return self._store.name(_container_key(source.root)), self._store.name(f"data_source/{source}")

    def _resolve(self, key: str, identifier: str, request: Callable[[], str]) -> str:
        """Resolve a name. If several threads need the same one, the first of them sends the request for all."""
        mine = _PendingName(self._host.event())
        with self._mutex:
            pending = self._pending.setdefault(key, mine)
        if pending is not mine:
            return pending.wait()
        try:
            mine.result = name = self._store.name(key) or self._request(key, identifier, request)
        except BaseException as error:
            mine.result = error
            raise
        finally:
            with self._mutex:
                del self._pending[key]
            mine.done.set()
        return name

    def _request(self, key: str, identifier: str, request: Callable[[], str]) -> str:
        try:
            name = request()
        except ProviderError as error:
            if not error.is_refusal:
                raise
            logger.warning("display name not available, using the id", id=identifier, error=str(error))
            name = identifier
        self._store.save_name(key, name)
        return name


def _container_key(container: ContainerId) -> str:
    """Return the key of a name in the state, such as `index/…`."""
    return f"{container.level.word}/{container}"
