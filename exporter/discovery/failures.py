"""What went wrong while looking round: each thing is said when it begins, and when it is over."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog

from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exporter.target.context import CredentialStatus

logger = structlog.get_logger()


class DiscoveryFailures:
    """The troubles of one target's rounds, by the resource that they are with."""

    def __init__(self, target: str, credentials: CredentialStatus) -> None:
        self._target = target
        self._credentials = credentials
        self._open: dict[str, tuple[str, Reason]] = {}
        self._tried: set[str] = set()
        self.failed: dict[str, ProviderError] = {}
        """What went wrong in this round, by resource."""

    def begin(self) -> None:
        """Begin a round."""
        self._tried, self.failed = set(), {}

    def conclude(self) -> None:
        """Say of what was tried in this round, and did not work before, that it does."""
        for resource in [tried for tried in self._open if tried in self._tried and tried not in self.failed]:
            operation, reason = self._open.pop(resource)
            logger.info(
                "discovery works again", target=self._target, resource=resource, operation=operation, after=str(reason)
            )

    @contextmanager
    def isolate(self, resource: str, *, refusals_only: bool = False) -> Iterator[None]:
        """Let what goes wrong with a resource stay with it, but for what is wrong with all: the credentials.

        With `refusals_only` only what will not change by asking again stays; for the rest the next best has to do.
        """
        self._tried.add(resource)
        try:
            yield
        except ProviderError as error:
            if error.reason is Reason.CREDENTIALS or (refusals_only and not error.is_refusal):
                raise
            self._note(resource, error)

    @contextmanager
    def isolate_run(self) -> Iterator[None]:
        """Let a whole round fail, for want of credentials or of the very first answer, and nothing else with it."""
        everything = "the whole target"
        self._tried.add(everything)
        try:
            yield
        except ProviderError as error:
            if error.reason is Reason.CREDENTIALS:
                self.failed[everything] = error
                self._credentials.report_failure(error)
            else:
                self._note(everything, error)

    def warn(self, resource: str, warnings: Iterable[str]) -> None:
        """Take note of what was left out of an answer."""
        for warning in warnings:
            self._note(resource, ProviderError(Reason.MALFORMED_RESPONSE, warning))

    def _note(self, resource: str, error: ProviderError) -> None:
        self.failed[resource] = error
        what = (error.operation, error.reason)
        if self._open.get(resource) != what:
            self._open[resource] = what
            logger.warning(
                "discovery failing", target=self._target, resource=resource, reason=str(error.reason), error=str(error)
            )
