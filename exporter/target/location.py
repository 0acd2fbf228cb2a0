"""Which AWS account a target is, asked of STS once and remembered in the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.domain.model import Location
from exporter.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = structlog.get_logger()


class AccountStore(Protocol):
    """Where the account of a target is remembered, as `Store` does."""

    def account(self, target: str) -> str | None:
        """Return the account that the target had last."""

    def save_account(self, target: str, account: str) -> None:
        """Remember the account of the target."""


class TargetLocation:
    """A target's account and region; unknown until the configuration, the state or STS has named the account."""

    def __init__(self, target: str, region: str, store: AccountStore) -> None:
        self._target = target
        self._store = store
        self._is_confirmed = False
        self.region = region
        self.current: Location | None = None
        self.changed: Callable[[], None] = lambda: None
        """Called after the location has changed."""

    @property
    def account(self) -> str | None:
        """The target's account; None where it is not known."""
        return (self.current.account or None) if self.current else None

    def restore(self, role_account: str | None) -> None:
        """Start from the account of the role that is assumed, or from the account that the state remembers."""
        account = role_account or self._store.account(self._target)
        self.current = Location(account, self.region) if account else None

    def confirm(self, ask: Callable[[], str]) -> None:
        """Ask for the account once. If STS does not respond, continue with the remembered one, or without."""
        if self._is_confirmed:
            return
        before = self.current
        self.current = Location(self._ask(ask), self.region)
        if self.current != before:
            self.changed()

    def _ask(self, ask: Callable[[], str]) -> str:
        try:
            account = ask()
        except ProviderError as error:
            remembered = self._store.account(self._target) or ""
            if self.current is None:
                message = "account id not available from STS"
                logger.info(message, target=self._target, used_instead=remembered, error=str(error))
            return remembered
        self._is_confirmed = True
        self._store.save_account(self._target, account)
        return account
