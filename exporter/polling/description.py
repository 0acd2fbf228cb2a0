"""What is known of a data source itself: what its index's listing says, and what only GetDataSource does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from exporter.domain.model import Description, Known


@dataclass(frozen=True, slots=True)
class About:
    """A data source's description in the making, and the settled name of its index.

    `version` is the updatedAt for which GetDataSource was last asked, `trouble` why it did not answer, and `not_before`
    when, on the monotonic clock, it may be asked again.
    """

    index: str = ""
    latest: Description | None = None
    is_asked: bool = False
    version: float | None = None
    trouble: ProviderError | None = None
    not_before: float = 0.0

    @classmethod
    def of(cls, known: Known) -> About:
        """Go on from how a source was last found."""
        whole = known.about.schedule is not None
        return cls(known.index, known.about, is_asked=whole, version=known.about.updated if whole else None)

    @property
    def settled(self) -> Description | None:
        """Give the description once GetDataSource has answered or refused to; None before, and without an index."""
        return self.latest if self.index and self.is_asked else None

    def is_due(self, now: float) -> bool:
        """Tell whether GetDataSource is to be asked: the source is new, or was updated, or could not be asked about."""
        fresh = self.is_asked and self.trouble is None and (self.latest is None or self.latest.updated == self.version)
        return not fresh and now >= self.not_before

    def listed_as(self, index: str, listed: Description | None) -> About:
        """Take in what a listing says; the schedule, which it does not, stays as it was."""
        if listed is None:
            return replace(self, index=index)
        return replace(
            self, index=index, latest=replace(listed, schedule=self.latest.schedule if self.latest else None)
        )

    def asked(self, asking: About, described: Description | None, trouble: ProviderError | None, again: float) -> About:
        """Take in what GetDataSource answered or why it did not, given what was known when it was asked."""
        if described is None:
            refused = trouble is not None and trouble.is_refusal
            not_before = again if refused else 0.0
            return replace(self, trouble=trouble, is_asked=self.is_asked or refused, not_before=not_before)
        if self.latest:  # listings are compared with listings: what came in while asking is asked about again
            described = replace(described, tags=self.latest.tags, updated=self.latest.updated)
        version = asking.latest.updated if asking.latest else described.updated
        return replace(self, latest=described, is_asked=True, version=version, trouble=None, not_before=0.0)

    def name(self) -> str:
        """Give the display name; raises ProviderError where nothing has told it yet."""
        if self.latest and self.latest.name:
            return self.latest.name
        raise self.trouble or ProviderError(Reason.MALFORMED_RESPONSE, "the data source has no displayName")
