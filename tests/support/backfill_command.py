"""The `backfill` command, run in this process against a simulated service, and its output as scrapes."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from exporter.cli import main
from exporter.providers.registry import DEFAULT_SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from exporter.simulator.server import SimulatedEndpoint

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""The value of each sample by its name and labels."""


@dataclass(frozen=True)
class BackfillCommand:
    """The command in its own folder: `config.yaml`, `state.db` and the output `backfill.om`.

    `name` is the name of the service in the configuration.
    """

    service: SimulatedEndpoint
    folder: Path
    name: str = DEFAULT_SERVICE.name

    @property
    def state(self) -> Path:
        """Return the path of the state file."""
        return self.folder / "state.db"

    def write_config(self, **more: Any) -> Path:
        """Write a configuration that discovers everything; return its path."""
        target = {"name": "test", "service": self.name, "region": "us-east-1", "endpoint_url": self.service.url}
        config = {
            "targets": [target],
            "polling": {"requests_per_second": 1000, "concurrency": 4},
            "metrics": {"duration_buckets": ["1m", "5m", "15m", "1h"]},
            "state": {"path": str(self.state)},
            **more,
        }
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    def run(self, monkeypatch: pytest.MonkeyPatch, *flags: str, code: int = 0) -> str:
        """Run the command, check its exit code, and return its output."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", self.service.url)
        output = self.folder / "backfill.om"
        assert main(["backfill", f"--config.file={self.write_config()}", f"--output={output}", *flags]) == code
        return output.read_text()


def samples_by_time(text: str) -> dict[float, Samples]:
    """Parse the output; return the samples of each timestamp, in ascending order."""
    *lines, end = text.removesuffix("\n").split("\n")
    assert end == "# EOF"
    expositions: Mapping[float, list[str]] = defaultdict(list)
    header: list[str] = []
    for line in lines:
        if line.startswith("# HELP"):
            header = [line]
        elif line.startswith("#"):
            header.append(line)
        else:
            exposition = expositions[float(line.rpartition(" ")[2])]
            if header[0] not in exposition:
                exposition += header
            exposition.append(line)
    return {time: _parse(exposition) for time, exposition in sorted(expositions.items())}


def _parse(exposition: list[str]) -> Samples:
    families = text_string_to_metric_families("\n".join([*exposition, "# EOF\n"]))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def total(samples: Samples, name: str) -> float:
    """Return the sum of all samples with a name."""
    return sum(value for (sample, _), value in samples.items() if sample == name)
