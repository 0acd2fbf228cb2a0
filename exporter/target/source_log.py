"""How log lines identify a data source: the same fields wherever one is logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.domain.model import DataSource, Names


def source_fields(source: DataSource, names: Names | None = None) -> dict[str, str | None]:
    """Return the log fields of a data source: its display names as far as they are resolved, and its id."""
    application = names.application if names else source.application
    name = names.data_source if names else source.name
    return {"application": application, "data_source": name, "data_source_id": source.id.data_source_id}
