"""The keys of targets in the database: service, account and region, so that renamed targets keep their state."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from exporter.domain.target_identity import provisional_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.domain.target_identity import ConfiguredTarget


class TargetKeys:
    """Maps the configured targets to their keys. A target with an unknown account has a provisional key."""

    def __init__(self) -> None:
        self.configured: Sequence[ConfiguredTarget] = ()
        self.accounts: dict[str, str] = {}
        """The accounts that a replica has learned from AWS, by the name of the target."""

    def key(self, target: ConfiguredTarget) -> str:
        """Return the key of a target."""
        account = target.account or self.accounts.get(target.name)
        return target.identity(account) if account else provisional_key(target.name)

    def all(self) -> dict[str, str]:
        """Return the keys of all configured targets, each with a digest of its settings.

        Targets with one key share a digest, which includes their names.
        """
        found: dict[str, list[str]] = {}
        for target in self.configured:
            found.setdefault(self.key(target), []).append(f"{target.settings}/{target.name}")
        return {key: _digest(sorted(settings)) for key, settings in found.items()}


def _digest(settings: list[str]) -> str:
    return hashlib.sha256("\n".join(settings).encode("utf-8", "surrogatepass")).hexdigest()[:16]
