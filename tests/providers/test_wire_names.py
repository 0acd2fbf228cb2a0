"""Only the provider and the simulation of a service contain names of its API."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from exporter.providers.registry import SERVICES

PACKAGE = Path(__file__).parents[2] / "exporter"
KNOWING = ("providers/", "simulator/", "web/page/runbooks/", "events/")
"""The last one reads the records of CloudTrail, which have members of their own."""


def wire_names() -> set[str]:
    """Return the names of the operations and the members that services use, as far as they are not usual words."""
    names: set[str] = set()
    for service in SERVICES.values():
        members, terms = service.members, service.terms
        names |= {permission.action for permission in service.permissions}
        names |= {terms.start_sync, terms.stop_sync, *terms.deletions}
        names |= {members.started, members.ended, members.error_code, members.created, members.updated}
        names |= {members.schedule, members.container_documents, members.container_text_bytes}
        names |= {name for _, name in members.document_counts} | set(service.sync_events.id_parameters)
    return {name for name in names if re.fullmatch(r"[A-Za-z]+[a-z][A-Z][A-Za-z]+", name)}


@pytest.mark.parametrize("suffix", ["py", "html", "j2"])
def test_no_other_part_of_the_exporter_has_a_wire_name(suffix: str) -> None:
    """Code, messages and templates read them from the description of the service. So a new service needs no change."""
    pattern = re.compile(rf"\b({'|'.join(sorted(wire_names()))})\b")
    found = {
        (str(path.relative_to(PACKAGE)), match[0])
        for path in PACKAGE.rglob(f"*.{suffix}")
        if not str(path.relative_to(PACKAGE)).startswith(KNOWING)
        for match in pattern.finditer(path.read_text())
    }
    assert found == set()
