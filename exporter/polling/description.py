"""The description of a data source: from a listing in part, and from its own request in full."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from exporter.domain.model import Description
    from exporter.domain.snapshots import SavedSource


NEVER_REQUESTED = float("-inf")  # earlier than the update time in any listing, so that a request is due


@dataclass(frozen=True, slots=True)
class DescriptionState:
    """The known part of a data source's description, and the resolved name of its container.

    `has_response` is true once AWS has returned the description or has refused to. `version` is the update time for
    which the description was last requested, and `last_error` is the reason why the last request failed. It is not
    requested again before `retry_at`, on the monotonic clock.
    """

    container: str = ""
    latest: Description | None = None
    has_response: bool = False
    version: float | None = None
    last_error: ProviderError | None = None
    retry_at: float = 0.0

    @classmethod
    def from_saved(cls, saved: SavedSource) -> DescriptionState:
        """Return the state of a source that was saved before a restart. A description that AWS refused is due again.

        A state file of an earlier release does not have the start of the schedule.
        """
        description = saved.description
        if description.schedule and description.schedule_since is None:
            description = replace(description, schedule_since=description.updated)
        version = description.updated if description.schedule is not None else NEVER_REQUESTED
        return cls(saved.container, description, has_response=saved.is_described, version=version)

    @property
    def resolved(self) -> Description | None:
        """The description to publish; None until it has been requested and the container has a name."""
        return self.latest if self.container and self.has_response else None

    def is_due(self, now: float) -> bool:
        """Return whether to request the description: the source is new or was updated, or the last request failed."""
        is_current = (
            self.has_response
            and self.last_error is None
            and (self.latest is None or self.latest.updated == self.version)
        )
        return not is_current and now >= self.retry_at

    def with_listing(self, container: str, listed: Description | None) -> DescriptionState:
        """Return the state after a listing. It keeps what a listing lacks: the schedule, in some services the type."""
        if listed is None:
            return replace(self, container=container)
        if self.latest:
            listed = listed.with_missing_from(self.latest)
        return replace(self, container=container, latest=listed)

    def with_response(
        self, at_request: DescriptionState, described: Description | None, error: ProviderError | None, retry_at: float
    ) -> DescriptionState:
        """Return the state after a response with the description or with an error.

        `at_request` is the state when the request was sent. A listing may have arrived since then.
        """
        if described is None:
            is_refused = error is not None and error.is_refusal
            return replace(
                self,
                last_error=error,
                has_response=self.has_response or is_refused,
                retry_at=retry_at if is_refused else 0.0,
            )
        version = described.updated
        if self.latest:
            described = replace(described, tags=self.latest.tags).with_missing_from(self.latest)
        if self.latest and self.latest.updated is not None:
            # `updated` must come from a listing, because `is_due` compares it with later listings.
            described = replace(described, updated=self.latest.updated)
        # If the source was updated while the request was in flight, the response may be older than the listing. The
        # version of the state before makes the next poll request it again.
        if at_request.latest and at_request.latest.updated is not None:
            version = at_request.latest.updated
        return replace(self, latest=described, has_response=True, version=version, last_error=None, retry_at=0.0)

    def name(self) -> str:
        """Return the display name; raise ProviderError if neither a listing nor a description has one."""
        if self.latest and self.latest.name:
            return self.latest.name
        raise self.last_error or ProviderError(Reason.MALFORMED_RESPONSE, "the data source has no name")
