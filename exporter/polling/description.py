"""What is known of a data source itself: what its index's listing says, and what only GetDataSource does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from exporter.domain.model import Description
    from exporter.domain.snapshots import SavedSource


@dataclass(frozen=True, slots=True)
class DescriptionState:
    """A data source's description in the making, and the settled name of its index.

    `version` is the updatedAt for which GetDataSource was last asked, `trouble` why it did not answer, and `not_before`
    when, on the monotonic clock, it may be asked again.
    """

    index: str = ""
    latest: Description | None = None
    was_requested: bool = False
    version: float | None = None
    last_error: ProviderError | None = None
    retry_at: float = 0.0

    @classmethod
    def of(cls, known: SavedSource) -> DescriptionState:
        """Go on from how a source was last found."""
        whole = known.description.schedule is not None
        return cls(
            known.index, known.description, was_requested=whole, version=known.description.updated if whole else None
        )

    @property
    def resolved(self) -> Description | None:
        """Give the description once GetDataSource has answered or refused to; None before, and without an index."""
        return self.latest if self.index and self.was_requested else None

    def is_due(self, now: float) -> bool:
        """Tell whether GetDataSource is to be asked: the source is new, or was updated, or could not be asked about."""
        fresh = (
            self.was_requested
            and self.last_error is None
            and (self.latest is None or self.latest.updated == self.version)
        )
        return not fresh and now >= self.retry_at

    def with_listing(self, index: str, listed: Description | None) -> DescriptionState:
        """Take in what a listing says; the schedule, which it does not, stays as it was."""
        if listed is None:
            return replace(self, index=index)
        return replace(
            self, index=index, latest=replace(listed, schedule=self.latest.schedule if self.latest else None)
        )

    def with_response(
        self, asking: DescriptionState, described: Description | None, last_error: ProviderError | None, again: float
    ) -> DescriptionState:
        """Take in what GetDataSource answered or why it did not, given what was known when it was asked."""
        if described is None:
            refused = last_error is not None and last_error.is_refusal
            retry_at = again if refused else 0.0
            return replace(self, last_error=last_error, was_requested=self.was_requested or refused, retry_at=retry_at)
        if self.latest:  # listings are compared with listings: what came in while asking is asked about again
            described = replace(described, tags=self.latest.tags, updated=self.latest.updated)
        version = asking.latest.updated if asking.latest else described.updated
        return replace(self, latest=described, was_requested=True, version=version, last_error=None, retry_at=0.0)

    def name(self) -> str:
        """Give the display name; raises ProviderError where nothing has told it yet."""
        if self.latest and self.latest.name:
            return self.latest.name
        raise self.last_error or ProviderError(Reason.MALFORMED_RESPONSE, "the data source has no displayName")
