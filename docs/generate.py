"""Write the generated pages of docs/; with --check only report the pages that are out of date."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docs import stability
from docs.alerts_table import PAGE as ALERTS_PAGE
from docs.alerts_table import alerts_page
from docs.api_schema import api_schema
from docs.command_reference import commands_page
from docs.config_example import PAGE as EXAMPLE_PAGE
from docs.config_example import config_example
from docs.configuration_reference import configuration_page
from docs.dashboards_table import PAGE as DASHBOARDS_PAGE
from docs.dashboards_table import dashboards_page
from docs.faults_table import faults_page
from docs.policies_table import PAGE as PERMISSIONS_PAGE
from docs.policies_table import permissions_page
from docs.runbook_pages import runbook_pages
from docs.runbook_templates import runbook_texts
from docs.tutorial_command import PAGE as TUTORIAL_PAGE
from docs.tutorial_command import tutorial_page
from exporter.config import json_schema
from exporter.domain.model import Location
from exporter.metrics import container_families, container_labels, source_families, source_labels
from exporter.metrics.telemetry import Telemetry
from exporter.providers.registry import SERVICES
from tools.generated_files import bring_up_to_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.core import Metric

    from exporter.domain.service import Service

HERE = Path(__file__).parent
API_SCHEMA = HERE / "api.schema.json"
_FOREIGN = ("process_", "python_")


def metrics_page() -> str:
    """Return the text of docs/metrics.md, the reference of every metric."""
    telemetry = Telemetry()
    telemetry.targets.add("", lambda: 0.0, lambda: 0, lambda: 0, lambda: 0.0)
    telemetry.targets.set_info("", "", Location("", ""))
    telemetry.targets.set_discovery("", lambda: True, 0.0)
    telemetry.targets.count_request("", "", "", 0.0)
    telemetry.ownership.replace({"": True}, ())
    telemetry.events.add_target("", ("",), up=True)
    telemetry.http.observe("", 0, 0.0)
    own = (metric for metric in telemetry.registry.collect() if not metric.name.startswith(_FOREIGN))
    rows = [(_full_name(metric), metric.type, _labels(metric.samples), metric.documentation) for metric in own]
    return "\n".join(
        [
            "# Metrics",
            "",
            "Written by `make generate` from the declarations in `exporter/metrics/`.",
            "",
            "Timestamps are seconds since the epoch on AWS's clock. A value that the API does not report is absent,",
            "never 0.",
            "",
            "Samples carry no timestamp: each sample is as of the last successful poll of its data source.",
            "`…_last_successful_poll_timestamp_seconds` is the time of that poll.",
            "",
            "Each service has its own prefix, and labels in its own words. All have the same statuses of sync jobs.",
            "",
            *(line for service in SERVICES.values() for line in _of_service(service)),
            "## The exporter",
            "",
            *_table(rows),
            "",
            "The exporter also exposes the `process_*`, `python_info` and `python_gc_*` families of prometheus_client.",
            "",
        ],
    )


def _of_service(service: Service) -> Iterator[str]:
    """Yield the families of a service's data sources and containers."""
    sources, containers = source_families(service), container_families(service)
    yield from (
        f"## {service.title}",
        "",
        "### Data sources and their sync jobs",
        "",
        f"Every series has the labels {_code(source_labels(service))}:",
        "display names for reading, and the id for identity.",
        "",
        *_table((family.name, family.kind, family.labels, family.help) for family in sources),
        "",
        f"### {service.container.plural.capitalize()}",
        "",
        f"Every series has the labels {_code(container_labels(service))}. The values",
        "are from discovery, and are current while `qbusiness_exporter_discovery_success` is 1.",
        "",
        *_table((family.name, family.kind, family.labels, family.help) for family in containers),
        "",
    )


def _full_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _labels(samples: Iterable[object]) -> tuple[str, ...]:
    labels = {name: None for sample in samples for name in getattr(sample, "labels", {}) if name != "le"}
    return tuple(labels)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(rows: Iterable[tuple[str, str, tuple[str, ...], str]]) -> Iterable[str]:
    yield "| name | type | labels | meaning |"
    yield "|---|---|---|---|"
    for name, kind, labels, meaning in rows:
        yield f"| {stability.marked(name, name, stability.FAMILIES)} | {kind} | {_code(labels)} | {meaning} |"


def pages() -> dict[Path, str]:
    """Return the text of every generated file by its path."""
    runbooks = runbook_texts()
    return {
        HERE / "metrics.md": metrics_page(),
        HERE / "commands.md": commands_page(),
        HERE / "configuration.md": configuration_page(),
        EXAMPLE_PAGE: config_example(),
        ALERTS_PAGE: alerts_page(),
        HERE / "faults.md": faults_page(),
        PERMISSIONS_PAGE: permissions_page(),
        DASHBOARDS_PAGE: dashboards_page(),
        TUTORIAL_PAGE: tutorial_page(),
        API_SCHEMA: api_schema(API_SCHEMA),
        HERE / "config.schema.json": json.dumps(json_schema(), indent=2, sort_keys=True) + "\n",
        **runbooks,
        **runbook_pages(runbooks),
    }


if __name__ == "__main__":
    sys.exit(bring_up_to_date(pages(), sys.argv[1:]))
