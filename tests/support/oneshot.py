"""Commands that send requests once, run against a simulated organization."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import yaml

from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex
from tests.support.program_process import run_command

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from exporter.simulator.server import SimulatedEndpoint
    from tests.support.service_case import ServiceCase

ROLE = "arn:aws:iam::444455556666:role/reader"


def organization(case: ServiceCase) -> Fleet:
    """Return two applications with three indexes and 14 data sources; a service may know the indexes only."""
    kind, _ = case.source_types

    def index(name: str, *sources: SimulatedDataSource) -> SimulatedIndex:
        return SimulatedIndex(name, list(sources), kind=case.index_type)

    documents = [SimulatedDataSource(f"doc-{number}", kind, tags={"team": "hr"}) for number in range(12)]
    archived = [SimulatedDataSource("on", kind, "FAILED"), SimulatedDataSource("old-wiki", kind)]
    return Fleet(
        [
            SimulatedApplication("intranet", [index("main", *documents), index("archive", *archived)]),
            SimulatedApplication("support", [index("knowledge")]),
        ]
    )


def environment(service: SimulatedEndpoint) -> dict[str, str]:
    """Return the environment of a process that has credentials for a simulated service."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    return {**inherited, **credentials, "AWS_ENDPOINT_URL": service.url, "AWS_REGION": "us-east-1"}


def run(
    service: SimulatedEndpoint, tmp_path: Path, *arguments: str, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; `text` is written to its config.yaml first."""
    if text:
        (tmp_path / "config.yaml").write_text(text)
    return run_command(*arguments, folder=tmp_path, environment=environment(service))


def settings(service: SimulatedEndpoint, *targets: dict[str, Any], **polling: Any) -> str:
    """Return a configuration of targets at a simulated service, polled at short intervals."""
    polling = {"interval": "100ms", "idle_interval": "100ms", "requests_per_second": 500, **polling}
    complete = [{"region": "us-east-1", "endpoint_url": service.url, **target} for target in targets]
    return yaml.safe_dump({"targets": complete, "polling": polling, "state": {"path": ":memory:"}})


def named(service: SimulatedEndpoint, *names: str, **more: str) -> dict[str, Any]:
    """Return a target that names data sources in its configuration."""
    return {
        "data_sources": [
            {"application_id": application.id, "index_id": index.id, "data_source_id": source.id, **more}
            for application, index, source in service.fleet.data_sources()
            if source.name in names
        ],
    }
