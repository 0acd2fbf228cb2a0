"""The scopes of rules: the exporter itself, or a service.

A scope has the folder of its templates and the values of their placeholders, and names its files and alerts. It omits
alerts on series that a service does not have.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from exporter.domain.documents import FAILED_STATUSES
from exporter.domain.service import Use
from exporter.metrics import container_families, container_labels, source_families, source_labels
from exporter.rules.series import names_by_rule, recorded_names, sample_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.domain.service import Service


class RuleScope(Protocol):
    """The exporter itself, or a service."""

    @property
    def folder(self) -> PurePosixPath:
        """The folder of the templates."""

    @property
    def values(self) -> Mapping[str, object]:
        """The values of placeholders."""

    def file_name(self, template: str) -> str:
        """Return the name of the rule file from the name of its template."""

    def alert_name(self, template: str) -> str:
        """Return the name of an alert from the name of its template, without its ending."""

    def has_series(self, alert: str, groups: str) -> bool:
        """Return whether every series in an alert exists, or is recorded by the rules in `groups`."""


class ExporterScope:
    """Rules about the exporter itself, which are the same for all services. Templates have the names of alerts."""

    folder = PurePosixPath("exporter")
    values: Mapping[str, object] = {}

    def file_name(self, template: str) -> str:
        """Return the name of the template."""
        return template

    def alert_name(self, template: str) -> str:
        """Return the name of the template."""
        return template

    def has_series(self, _alert: str, _groups: str) -> bool:
        """Return True."""
        return True


class ServiceScope:
    """Rules about the data sources and containers of a service."""

    folder = PurePosixPath("service")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._families = {family.name for family in (*source_families(service), *container_families(service))}
        self._samples = {name for family in self._families for name in sample_names(family)}

    @property
    def values(self) -> Mapping[str, object]:
        """The words, labels and operations of the service."""
        service, container = self._service, self._service.container
        return {
            "service": service,
            "terms": service.terms,
            "prefix": service.name,
            "level": container.word,
            "container": container.text,
            "container_title": container.text.capitalize(),
            "container_name": _label_values(container_labels(service)[:-1]),
            "container_labels": ", ".join(container_labels(service)),
            "source_name": _label_values((service.root.word, "data_source")),
            "source_labels": ", ".join(source_labels(service)),
            "replica": ", ".join((*source_labels(service), "job", "instance")),
            "document_kinds": "|".join(kind for kind, _ in service.members.document_counts),
            "get_container": service.command(service.action(Use.CONTAINER)),
            "get_source": service.command(service.action(Use.SOURCE)),
            "failed_documents": "|".join(word for word in service.document_statuses if word in FAILED_STATUSES),
            "has": lambda family: f"{service.name}_{family}" in self._families,
            "other_than": _other_than,
        }

    def file_name(self, template: str) -> str:
        """Return a name that begins with the service, because the rule files of all services may be in one folder."""
        return f"{self._service.name}-{template}"

    def alert_name(self, template: str) -> str:
        """Return the name in the words of the service."""
        return self._service.alert(template)

    def has_series(self, alert: str, groups: str) -> bool:
        """Return whether every series in an alert is exposed, or recorded by the rules in `groups`."""
        known = self._samples | recorded_names(groups)
        return all(self._of_service(names) <= known for _, names in names_by_rule(alert))

    def _of_service(self, names: set[str]) -> set[str]:
        """Return the names of series of the service: `kendra_NAME`, or `LEVEL:kendra_NAME:OPERATION`."""
        return {name for name in names if f":{self._service.name}_" in f":{name}"}


def _label_values(labels: Sequence[str]) -> str:
    """Return labels in a text of an alert, such as `{{ $labels.application }}/{{ $labels.data_source }}`."""
    return "/".join(f"{{{{ $labels.{label} }}}}" for label in labels)


def _other_than(statuses: Sequence[str]) -> str:
    """Return the label matcher for all statuses except these."""
    return f'status!="{statuses[0]}"' if len(statuses) == 1 else f'status!~"{"|".join(statuses)}"'
