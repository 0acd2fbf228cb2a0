"""Display names, settled once: they are labels, and a label that changes begins another series."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.model import IndexId, SourceId
    from exporter.runtime import Event, Host

logger = structlog.get_logger()


class NameStore(Protocol):
    """Where settled names survive, as `Store` keeps them."""

    def name(self, key: str) -> str | None:
        """Give a settled name."""

    def save_name(self, key: str, name: str) -> None:
        """Keep a name for good."""


class _PendingName:
    """A name that is being asked for, and what came of it for all who wait."""

    def __init__(self, answered: Event) -> None:
        self.answered = answered
        self.answer: str | BaseException = ""

    def wait(self) -> str:
        """Give the name, or raise what asking for it raised."""
        self.answered.wait()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class DisplayNames:
    """The settled display names of one target's applications, indexes and data sources; for any thread."""

    def __init__(self, store: NameStore, host: Host) -> None:
        self._store = store
        self._host = host
        self._mutex = threading.Lock()
        self._asking: dict[str, _PendingName] = {}

    def application(self, application_id: str, ask: Callable[[], str]) -> str:
        """Give an application's name; raises ProviderError where it cannot be settled now."""
        return self._resolve(f"application/{application_id}", application_id, ask)

    def index(self, index: IndexId, ask: Callable[[], str]) -> str:
        """Give an index's name; raises ProviderError where it cannot be settled now."""
        return self._resolve(f"index/{index}", index.index_id, ask)

    def data_source(self, source: SourceId, ask: Callable[[], str]) -> str:
        """Give a data source's name; raises ProviderError where it cannot be settled now."""
        return self._resolve(f"data_source/{source}", source.data_source_id, ask)

    def resolved(self, source: SourceId) -> tuple[str | None, str | None]:
        """Give the names of a data source's application and its own, as far as they are settled; asks nobody."""
        return self._store.name(f"application/{source.application_id}"), self._store.name(f"data_source/{source}")

    def _resolve(self, key: str, identifier: str, ask: Callable[[], str]) -> str:
        """Settle one name; of many who want the same one at once, the first asks for all."""
        mine = _PendingName(self._host.event())
        with self._mutex:
            question = self._asking.setdefault(key, mine)
        if question is not mine:
            return question.wait()
        try:
            mine.answer = name = self._store.name(key) or self._ask(key, identifier, ask)
        except BaseException as error:
            mine.answer = error
            raise
        finally:
            with self._mutex:
                del self._asking[key]
            mine.answered.set()
        return name

    def _ask(self, key: str, identifier: str, ask: Callable[[], str]) -> str:
        try:
            name = ask()
        except ProviderError as error:
            if not error.is_refusal:
                raise
            logger.warning("no display name to be had: using the id", id=identifier, error=str(error))
            name = identifier
        self._store.save_name(key, name)
        return name
