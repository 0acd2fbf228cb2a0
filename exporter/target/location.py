"""The AWS account and region of a target; the account is requested from STS once, and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.domain.model import Location
from exporter.errors import ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = structlog.get_logger()


class AccountStore(Protocol):
    """Keeps the account of a target across restarts, as `Store` does."""

    def account(self, target: str) -> str | None:
        """Return the account that the target had last."""

    def save_account(self, target: str, account: str) -> None:
        """Save the account of the target."""


class TargetLocation:
    """The account and region of a target; None until the configuration, the state or STS has the account."""

    def __init__(self, target: str, region: str, store: AccountStore) -> None:
        self._target = target
        self._store = store
        self._is_confirmed = False
        self.region = region
        self.current: Location | None = None
        self.changed: Callable[[], None] = lambda: None
        """Called after the location has changed."""

    @property
    def labels(self) -> Location:
        """The location for labels: with an empty account while it is not known."""
        return self.current or Location("", self.region)

    @property
    def account(self) -> str | None:
        """The account of the target; None if it is not known."""
        return (self.current.account or None) if self.current else None

    def restore(self, role_account: str | None) -> None:
        """Start with the account of the role that is assumed, or else with the saved account."""
        account = role_account or self._store.account(self._target)
        self.current = Location(account, self.region) if account else None

    def confirm(self, request_account: Callable[[], str]) -> None:
        """Request the account once. If STS does not respond, continue with the saved one, or without."""
        if self._is_confirmed:
            return
        before = self.current
        self.current = Location(self._account(request_account), self.region)
        if self.current != before:
            self.changed()

    def _account(self, request_account: Callable[[], str]) -> str:
        try:
            account = request_account()
        except ProviderError as error:
            saved = self._store.account(self._target) or ""
            if self.current is None:
                message = "account id not available from STS"
                logger.info(message, target=self._target, used_instead=saved, error=str(error))
            return saved
        self._is_confirmed = True
        self._store.save_account(self._target, account)
        return account
