"""The AWS account and region of a target. The role, STS or an ARN determines the account."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

import structlog

from exporter.domain.model import Location
from exporter.domain.service import ArnScope
from exporter.domain.target_identity import target_identity
from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

_ACCOUNT_IN_ARN = re.compile(r"arn:[^:]*:[^:]*:[^:]*:([0-9]{12}):")

logger = structlog.get_logger()


class AccountStore(Protocol):
    """Keeps the account of a target across restarts, as `Store` does."""

    def account(self, target: str) -> str | None:
        """Return the last account of the target with a name."""

    def save_account(self, target: str, account: str, identity: str) -> None:
        """Save the account and the identity of the target with a name."""


class TargetLocation:
    """The account and region of a target; None until the configuration, the state or AWS has the account.

    The account in the state is the last account of the target with this name. It is shown until AWS has confirmed it,
    but the credentials may belong to another account by now. So `identity`, the key of a target in the state, is None
    until the account is confirmed.
    """

    def __init__(
        self,
        target: str,
        service: str,
        region: str,
        store: AccountStore,
        partition: Callable[[], str] = lambda: "aws",
    ) -> None:
        """Create the location of a target; `partition` returns the partition of the region."""
        self._target = target
        self._partition = partition
        self._service = service
        self._store = store
        self.region = region
        self.current: Location | None = None
        self.identity: str | None = None
        """Service, account and region of the target; None before the account is confirmed."""
        self.changed: Callable[[], None] = lambda: None
        """Called after the location has changed."""

    @property
    def labels(self) -> Location:
        """The location for labels, with an empty account while it is not known."""
        return self.current or Location("", self.region)

    @property
    def account(self) -> str | None:
        """The account of the target; None if it is not known."""
        return (self.current.account or None) if self.current else None

    @property
    def known(self) -> Location | None:
        """The location of the target; None without an account."""
        return self.current if self.account else None

    @property
    def arn_scope(self) -> ArnScope | None:
        """The scope of the ARNs of the target's resources; None before its account is confirmed."""
        if self.current is None or self.identity is None:
            return None
        return ArnScope(self._partition(), self.region, self.current.account)

    def restore(self, role_account: str | None, before: TargetLocation | None = None) -> None:
        """Start with the account of the role that is assumed, or else with the saved account.

        After a reload, `before` is the location of a target with the same credentials and region.
        """
        if role_account:
            self.current = self._confirm(role_account)
        elif before and before.identity is not None and before.account:
            self.current = self._confirm(before.account)
        elif before and before.current:
            self.current = before.current
        elif account := self._store.account(self._target):
            self.current = Location(account, self.region)

    def request(self, request_account: Callable[[], str]) -> None:
        """Request the account from STS if it is not confirmed; log why it is not available."""
        if self.identity is not None:
            return
        try:
            account = request_account()
        except ProviderError as error:
            # A failure of the credentials is logged once for the target, by the code that obtains them.
            if self.current is None and error.reason is not Reason.CREDENTIALS:
                logger.info("account id not available from STS", target=self._target, error=str(error))
        else:
            self._update(self._confirm(account))

    def observe(self, arn: str) -> None:
        """Confirm the account by the ARN of a resource of the target, if STS has not."""
        match = _ACCOUNT_IN_ARN.match(arn)
        if self.identity is None and match:
            self._update(self._confirm(match[1]))

    def continue_without(self) -> None:
        """Continue without an account if neither the state nor AWS has it."""
        if self.current is None:
            self._update(Location("", self.region))

    def _confirm(self, account: str) -> Location:
        self.identity = target_identity(self._service, account, self.region)
        self._store.save_account(self._target, account, self.identity)
        return Location(account, self.region)

    def _update(self, location: Location) -> None:
        if location != self.current:
            self.current = location
            self.changed()
