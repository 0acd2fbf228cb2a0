"""A client and a provider in front of a simulated Amazon Q Business over HTTP, with fixtures for both."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from exporter.aws import AwsClient
from exporter.config import PollingConfig, parse_target
from exporter.domain.service import ArnScope
from exporter.errors import ProviderError
from exporter.providers.qbusiness.provider import QBusiness
from exporter.runtime import System
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.builders import NOON, source_id
from tests.support.harness import eventually, fleet_of
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.model import SyncJob

SCOPE = ArnScope("aws", "us-east-1", "111122223333")
ROLE = "arn:aws:iam::444455556666:role/reader"
HANGING = ("hang", "drip")  # faults that end with the timeout of the request


def timeout_for(kind: str) -> str:
    """Return a short timeout for a fault that hangs; else one that no response exceeds on a busy machine."""
    return "500ms" if kind in HANGING else "30s"


class RecordingObserver:
    """Records the operation and the code of every attempt."""

    def __init__(self) -> None:
        self.codes: list[str] = []
        self.unusable = 0
        self.operations: list[str] = []

    def acquire(self, operation: str) -> None:
        """Allow every attempt."""

    def finished(self, operation: str, code: str, seconds: float, *, is_usable: bool = True) -> None:
        """Record an attempt."""
        assert operation
        assert seconds >= 0
        self.codes.append(code)
        self.operations.append(operation)
        self.unusable += not is_usable


class SimulatedTarget:
    """A target in front of a simulated service with one data source, which has 25 ended jobs.

    `kind` is the fault that a test injects, which decides the timeout.
    """

    def __init__(self, kind: str = "", **settings: Any) -> None:
        self.clock = ManualClock(NOON)
        jobs = [PlannedJob(make_id(n), NOON - n * 600 - 100, 30, 30, documents={"added": n}) for n in range(25)]
        self.source = SimulatedDataSource("hr", jobs=jobs)
        self.service = SimulatedEndpoint(fleet_of(self.source), self.clock)
        self.observer = RecordingObserver()
        config = parse_target({"region": "us-east-1", "endpoint_url": self.service.url, **settings})
        polling = PollingConfig.model_validate({"timeout": timeout_for(kind)})
        self.aws_client = AwsClient(config, polling, self.observer, System())
        self.provider = QBusiness(self.aws_client)
        ((application, index, _),) = self.service.fleet.data_sources()
        self.id = source_id(application.id, index.id, self.source.id)

    def until_credentials(self) -> None:
        """Wait until the client has credentials. On a busy machine, this may take longer than the short timeout."""
        eventually(self._has_credentials)

    def _has_credentials(self) -> bool:
        with suppress(ProviderError):
            self.aws_client.credentials.current()
            return True
        return False

    def read_jobs(self, **filters: Any) -> list[SyncJob]:
        """Return the jobs of all pages."""
        return [job for page in self.provider.sync_jobs(self.id, **filters) for job in page.jobs]


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set credentials, and skip the SDK's pauses between retries."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def target(request: pytest.FixtureRequest) -> Iterator[SimulatedTarget]:
    """Yield a target whose service is running, with a timeout that suits the parameter `kind` of the test."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    target = SimulatedTarget(parameters.get("kind", ""))
    with target.service:
        yield target
