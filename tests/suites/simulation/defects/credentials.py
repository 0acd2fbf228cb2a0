"""Defects of obtaining credentials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from exporter.app.observers import CredentialRecorder
from exporter.aws.credential_cache import CredentialCache
from exporter.aws.credentials import Attempt
from exporter.aws.refusal_pauses import RefusalPauses

if TYPE_CHECKING:
    import pytest


def waits_for_credentials_without_a_deadline(patch: pytest.MonkeyPatch) -> None:
    """Wait for a source of credentials that hangs until it responds."""
    patch.setattr(Attempt, "remaining", lambda _self: math.inf)


def reports_lost_credentials_with_the_next_poll(patch: pytest.MonkeyPatch) -> None:
    """Poll the data sources at their usual times when there are no credentials."""

    def credentials_lost(self: Any, error: Any) -> None:
        self._reachability.report_down(str(error))

    patch.setattr(CredentialRecorder, "credentials_lost", credentials_lost)


def keeps_refused_credentials(patch: pytest.MonkeyPatch) -> None:
    """Use credentials until they expire, even when AWS refuses them."""
    patch.setattr(CredentialCache, "refused", lambda _self, _error: None)


def waits_for_the_next_poll_with_new_credentials(patch: pytest.MonkeyPatch) -> None:
    """Try credentials that replace refused ones when the next poll or discovery run is due."""
    patch.setattr(CredentialRecorder, "credentials_replaced", lambda _self: None)


def counts_the_first_credential_failure(patch: pytest.MonkeyPatch) -> None:
    """Count and log that credentials fail once, not each attempt that fails."""
    original: Any = CredentialRecorder.credentials_failed

    def credentials_failed(self: Any, error: Any) -> None:
        if not self._is_failing:
            original(self, error)

    patch.setattr(CredentialRecorder, "credentials_failed", credentials_failed)


def replaces_credentials_without_a_growing_pause(patch: pytest.MonkeyPatch) -> None:
    """Start over with the shortest pause when any operation accepts the credentials."""
    patch.setattr(RefusalPauses, "accepted", lambda self, _operation: self._refusals.clear())


DEFECTS = (
    replaces_credentials_without_a_growing_pause,
    waits_for_credentials_without_a_deadline,
    reports_lost_credentials_with_the_next_poll,
    keeps_refused_credentials,
    waits_for_the_next_poll_with_new_credentials,
    counts_the_first_credential_failure,
)
