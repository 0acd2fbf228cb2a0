"""The identity of a target, apart from its name: a service in an account and a region of AWS."""

from __future__ import annotations

import json
from dataclasses import dataclass

_PROVISIONAL = "name/"


def target_identity(service: str, account: str, region: str) -> str:
    """Return the identity of a target, which is its key in the state."""
    return f"{service}/{account}/{region}"


def provisional_key(name: str) -> str:
    """Return the key of a target whose account is unknown: its name, in ASCII for databases of any encoding."""
    return _PROVISIONAL + json.dumps(name)[1:-1]


def account_of(key: str) -> str | None:
    """Return the account in an identity; None for a provisional key."""
    return None if key.startswith(_PROVISIONAL) else key.split("/")[1]


@dataclass(frozen=True, slots=True)
class ConfiguredTarget:
    """A target of the configuration.

    `account` is None unless the configuration has it or AWS has returned it. `settings` is a digest of all settings
    that affect the target.
    """

    name: str
    service: str
    region: str
    account: str | None = None
    settings: str = ""

    def identity(self, account: str) -> str:
        """Return the identity of this target in an account."""
        return target_identity(self.service, account, self.region)
