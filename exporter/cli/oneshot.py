"""What commands that only ask need: a target's connection, held to its request budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.aws import Connection, is_throttled
from exporter.aws.rate_limiter import Budget
from exporter.errors import ProviderError
from exporter.providers.qbusiness.permissions import Place
from exporter.providers.qbusiness.provider import QBusiness
from exporter.runtime import System

if TYPE_CHECKING:
    from exporter.config import PollingConfig, TargetConfig


class Asked:
    """A target that is asked and not watched."""

    def __init__(self, target: TargetConfig, polling: PollingConfig) -> None:
        host = System()
        self.config = target
        self._budget = Budget(polling.requests_per_second, host, host.event())
        self._connection = Connection(target, polling, self, host)
        self.provider = QBusiness(self._connection)
        self.name = self._connection.name
        self.region = self._connection.region

    def place(self) -> Place:
        """Tell where the target's resources are; the account is `*` where nobody can be asked."""
        try:
            account = self._connection.account()
        except ProviderError:
            account = "*"
        return Place(self._connection.partition, self.region, account)

    def admit(self) -> None:
        """Hold an attempt back until the request budget allows it."""
        self._budget.admit()

    def finished(self, operation: str, code: str, seconds: float) -> None:  # noqa: ARG002 (nobody counts here)
        """Slow down where the service says that it is too much."""
        if is_throttled(code):
            self._budget.throttled()
