"""What commands that only ask need: a target's connection, held to its request budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.aws import AwsClient, is_throttled
from exporter.aws.rate_limiter import RateLimiter
from exporter.errors import ProviderError
from exporter.providers.registry import ArnScope, make_provider
from exporter.runtime import System

if TYPE_CHECKING:
    from exporter.config import PollingConfig, TargetConfig


class OneShotTarget:
    """A target that is asked and not watched."""

    def __init__(self, target: TargetConfig, polling: PollingConfig) -> None:
        host = System()
        self.config = target
        self._rate_limiter = RateLimiter(polling.requests_per_second, host, host.event())
        self._client = AwsClient(target, polling, self, host)
        self.provider = make_provider(self._client)
        self.name = self._client.name
        self.region = self._client.region

    def place(self) -> ArnScope:
        """Tell where the target's resources are; the account is `*` where nobody can be asked."""
        try:
            account = self._client.account()
        except ProviderError:
            account = "*"
        return ArnScope(self._client.partition, self.region, account)

    def acquire(self) -> None:
        """Hold an attempt back until the request budget allows it."""
        self._rate_limiter.acquire()

    def finished(self, operation: str, code: str, seconds: float) -> None:  # noqa: ARG002 (nobody counts here)
        """Slow down where the service says that it is too much."""
        if is_throttled(code):
            self._rate_limiter.throttled()
