"""The display names of watched data sources. Known names are used immediately; others are requested after a poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.domain.model import Names
from exporter.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.domain.model import DataSource
    from exporter.polling.source_state import SourceState
    from exporter.target.context import TargetContext


class SourceNames:
    """Resolves display names: from the configuration, from an earlier response, or from AWS.

    A name that is not available never makes a poll fail. A data source keeps its name until another one is resolved.
    Example: a reload removes `name:` from the configuration while descriptions cannot be read.
    """

    def __init__(self, context: TargetContext) -> None:
        self._names = context.names
        self._provider = context.provider

    def known(self, source: DataSource) -> Names | None:
        """Return the configured or resolved names; None if one of them was never resolved."""
        root, name = self._names.resolved(source.id)
        root, name = source.root or root, source.name or name
        return Names(root, name) if root and name else None

    def resolve(self, state: SourceState) -> Names | None:
        """Return the names, and request unknown ones from AWS; None if one is not available at the moment."""
        source, root, kept = state.source, state.source.id.root, state.names
        try:
            names = Names(
                root=source.root
                or self._names.container(
                    root,
                    lambda: _request(lambda: self._provider.container_name(root), kept.root if kept else None),
                ),
                data_source=source.name
                or self._names.data_source(
                    source.id, lambda: _request(state.description.name, kept.data_source if kept else None)
                ),
            )
        except ProviderError as error:
            self._log(state, error)
            return None
        state.name_error = None
        return names

    @staticmethod
    def _log(state: SourceState, error: ProviderError) -> None:
        """Log why a name is not available, unless this was logged before or the poll has failed too."""
        before, state.name_error = state.name_error, error.reason
        if state.failing is None and before is not error.reason:
            state.logger.warning("display name not available", reason=str(error.reason), error=str(error))


def _request(request: Callable[[], str], kept: str | None) -> str:
    """Request a name and return it; if AWS refuses the request, return the previous name."""
    try:
        return request()
    except ProviderError as error:
        if kept is None or not error.is_refusal:
            raise
        return kept
