"""The keys of targets in the database: service, account and region, so that renamed targets keep their state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.domain.target_identity import ConfiguredTarget

_PROVISIONAL = "name/"


class TargetKeys:
    """Maps the configured targets to their keys. A target whose account is not known yet has a provisional key."""

    def __init__(self) -> None:
        self.configured: Sequence[ConfiguredTarget] = ()
        self.accounts: dict[str, str] = {}
        """The accounts that AWS has confirmed to a replica, by the name of the target."""

    def key(self, target: ConfiguredTarget) -> str:
        """Return the key of a target."""
        account = target.account or self.accounts.get(target.name)
        # In ASCII, because the database may have any encoding.
        return target.identity(account) if account else _PROVISIONAL + json.dumps(target.name)[1:-1]

    def all(self) -> frozenset[str]:
        """Return the keys of all configured targets."""
        return frozenset(self.key(target) for target in self.configured)


def account_of(key: str) -> str | None:
    """Return the account in the key of a target; None if the key is provisional."""
    return None if key.startswith(_PROVISIONAL) else key.split("/")[1]
