"""Logs the failures of discovery once when they start, and once when they end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from exporter.domain.unreadable import UnreadableResource
from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

WHOLE_TARGET = "the whole target"

logger = structlog.get_logger()


class DiscoveryFailures:
    """The failures of one target's discovery runs, by resource."""

    def __init__(self, target: str, *, is_logged: bool = True) -> None:
        """Record failures of a target; a command that reports them in another way does not log them too."""
        self._target = target
        self._is_logged = is_logged
        self._failing: dict[str, tuple[str, Reason]] = {}
        self._tried: set[str] = set()
        self.failed: dict[str, ProviderError] = {}
        """The failures of the current run, by resource."""

    def start_run(self) -> None:
        """Start a run without failures."""
        self._tried, self.failed = set(), {}

    def end_run(self) -> None:
        """Log each resource that failed in an earlier run and has succeeded in this one."""
        for resource in [tried for tried in self._failing if tried in self._tried and tried not in self.failed]:
            operation, reason = self._failing.pop(resource)
            logger.info(
                "discovery works again", target=self._target, resource=resource, operation=operation, after=str(reason)
            )

    def unreadable(self) -> tuple[UnreadableResource, ...]:
        """Return the failures of the current run."""
        return tuple(UnreadableResource.of(resource, error) for resource, error in self.failed.items())

    @contextmanager
    def isolate(
        self, resource: str, *, refusals_only: bool = False, also: Container[Reason] = frozenset()
    ) -> Iterator[None]:
        """Record a failure of a resource, and continue; raise it if the credentials failed.

        With `refusals_only`, raise every failure that may end without a change in AWS, for example a timeout, except
        those with a reason in `also`. An enclosing `isolate` then records it, and the crawl skips the rest of that
        resource.
        """
        self._tried.add(resource)
        try:
            yield
        except ProviderError as error:
            is_accepted = error.is_refusal or error.reason in also or not refusals_only
            if error.reason is Reason.CREDENTIALS or not is_accepted:
                raise
            self._record(resource, error)

    @contextmanager
    def isolate_run(self) -> Iterator[None]:
        """Record a failure of a whole run: of the credentials, or of its first request."""
        self._tried.add(WHOLE_TARGET)
        try:
            yield
        except ProviderError as error:
            if error.reason is Reason.CREDENTIALS:  # logged once for the target, by the code that obtains them
                self.failed[WHOLE_TARGET] = error
            else:
                self._record(WHOLE_TARGET, error)

    def add_warnings(self, resource: str, warnings: Iterable[str]) -> None:
        """Record each unusable entry of a response as a failure of its resource."""
        for warning in warnings:
            self._record(resource, ProviderError(Reason.MALFORMED_RESPONSE, warning))

    def _record(self, resource: str, error: ProviderError) -> None:
        self.failed[resource] = error
        cause = (error.operation, error.reason)
        if self._is_logged and self._failing.get(resource) != cause:
            self._failing[resource] = cause
            logger.warning(
                "discovery failing", target=self._target, resource=resource, reason=str(error.reason), error=str(error)
            )
