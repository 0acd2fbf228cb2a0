"""Completes the declarations of families with the prefix, the words and the API members of a service.

The declarations are the same for all services. `{container}_documents` becomes `qbusiness_index_documents` for Amazon Q
Business, and `{ended}` in a HELP text the name of the member that has the end of a sync job.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from string import Formatter
from typing import TYPE_CHECKING

from exporter.domain.service import Use
from exporter.metrics.labels import added_label_names, parent_label_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.domain.service import Service
    from exporter.metrics.families import AnyFamily, Family

ADDED_LABELS = "{added}"
"""Stands for the labels of `labels.added_labels` in a declaration."""
PARENT_LABELS = "{parents}"
"""Stands for the labels of `labels.parent_labels` in a declaration."""


def bind(family: AnyFamily, service: Service) -> Family:
    """Return a family with the names that a service exposes."""
    word = service.container.word
    return replace(
        family,
        name=f"{service.name}_{family.name.format(container=word)}",
        help=family.help.format_map(_terms(service)),
        labels=tuple(_labels(family.labels, service)),
    )


def is_available(family: AnyFamily, service: Service) -> bool:
    """Return whether a service can fill a family: it has every member that the HELP text names."""
    terms = _terms(service)
    return all(terms.get(term) for _, term, _, _ in Formatter().parse(family.help) if term is not None)


def _labels(declared: Iterable[str], service: Service) -> Iterable[str]:
    groups = {ADDED_LABELS: added_label_names(service), PARENT_LABELS: parent_label_names(service)}
    for label in declared:
        yield from groups[label] if label in groups else (label.format(container=service.container.word),)


@cache
def _terms(service: Service) -> Mapping[str, str]:
    """Return the terms of HELP texts: the actions that the exporter uses, and the members of their responses."""
    members = asdict(service.members)
    counts = {f"documents_{kind}": member for kind, member in members.pop("document_counts")}
    return {
        "container": service.container.text,
        "list_sources": service.action(Use.LIST_SOURCES),
        "get_source": service.action(Use.SOURCE),
        "get_container": service.action(Use.CONTAINER),
        **({"list_documents": service.action(Use.DOCUMENTS)} if service.has(Use.DOCUMENTS) else {}),
        **members,
        **counts,
    }
