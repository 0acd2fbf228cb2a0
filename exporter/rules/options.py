"""The options of a user for the rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.domain.label_names import LABEL_NAME, tag_label
from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.domain.service import Service

STATUS_PAGE = "http://localhost:10142"


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """The services of the rules, the additional labels of alerts, and the pages to which alerts link."""

    services: tuple[Service, ...] = tuple(SERVICES.values())
    labels: tuple[str, ...] = ()
    """Names from `labels:`, and names of tags, that become labels of every alert about a data source."""
    disabled: frozenset[str] = frozenset()
    """Names of alerts to leave out."""
    thresholds: Mapping[str, object] = field(default_factory=dict)
    """Thresholds by the name of the alert, for alerts whose template has one."""
    runbooks: str = ""
    """Address of the folder of runbooks; default: the runbooks that the exporter serves."""
    external_url: str = STATUS_PAGE
    """Address of the exporter's status page."""
    grafana_url: str = ""
    """Address of Grafana. Without one, links to dashboards are paths."""

    def runbook_url(self, alert: str) -> str:
        """Return the address of the runbook of an alert."""
        return f"{self.runbooks or f'{self.external_url}/runbooks'}/{alert}"

    @property
    def info_labels(self) -> tuple[str, ...]:
        """The labels of a data source's info metric that its alerts have too.

        A name may belong to a label, to a tag, or to both. If the metric lacks a label, so does the alert.
        """
        further = (label for name in self.labels for label in _info_labels(name))
        return tuple(dict.fromkeys(("aws_account_id", "aws_region", *further)))


def _info_labels(name: str) -> Iterator[str]:
    if re.fullmatch(LABEL_NAME, name):
        yield f"label_{name}"
    yield tag_label(name)
