"""The identity of a target, apart from its name: a service in an account and a region of AWS."""

from __future__ import annotations

from dataclasses import dataclass


def target_identity(service: str, account: str, region: str) -> str:
    """Return the identity of a target, the key for what is kept of it."""
    return f"{service}/{account}/{region}"


@dataclass(frozen=True, slots=True)
class ConfiguredTarget:
    """A target of the configuration; `account` is None unless the configuration, or AWS, has it."""

    name: str
    service: str
    region: str
    account: str | None = None

    def identity(self, account: str) -> str:
        """Return the identity of this target in an account."""
        return target_identity(self.service, account, self.region)
