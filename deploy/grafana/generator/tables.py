"""Tables of current values: one row for each object, with columns from several queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import TableAutoCellOptions

from deploy.grafana.generator.panels import PROMETHEUS, WIDTH, field_option, table_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from deploy.grafana.generator.links import Link


def width_of(texts: Iterable[str], least: int) -> int:
    """Return the width of a column, in pixels, that does not cut off any of its texts."""
    return max(least, *(8 * len(text) + 20 for text in texts))


@dataclass(frozen=True)
class Column:
    """A table column, which displays a label or the value of a query, given by its ref id."""

    title: str
    label: str = ""
    query: str = ""
    unit: str = ""
    decimals: int | None = None
    mappings: Sequence[models.ValueMapping] = ()
    thresholds: models.ThresholdsConfig | None = None
    filled: bool = False
    links: Sequence[Link] = ()
    width: int = 0

    def field_name(self, *, several_queries: bool) -> str:
        """Return Grafana's name of the field; only with several queries does it contain the ref id."""
        return self.label or (f"Value #{self.query}" if several_queries else "Value")

    def options(self) -> list[models.DynamicConfigValue]:
        """Return the field options that differ from the defaults of the table."""
        values: dict[str, Any] = {
            "unit": self.unit,
            "decimals": self.decimals,
            "mappings": list(self.mappings),
            "thresholds": self.thresholds,
            "noValue": "-",
            "links": [link.as_data_link() for link in self.links],
            "custom.width": self.width or None,
        }
        found = [field_option(name, value) for name, value in values.items() if value not in ("", None, [])]
        if self.filled or self.mappings or self.thresholds:
            found.append(field_option("custom.cellOptions", _cell(filled=self.filled)))
        return found


def _cell(*, filled: bool) -> dict[str, str]:
    return {"type": "color-background", "mode": "basic"} if filled else {"type": "color-text"}


@dataclass(frozen=True)
class TableContent:
    """The content of a table: queries, joined on the labels that they share, and columns.

    `required` is the ref id of a query. Rows without a value of that query are left out. `hidden` names the fields that
    are not columns. `empty` is the text that a table without rows displays.
    """

    queries: Mapping[str, str]
    columns: Sequence[Column]
    sort: str
    descending: bool = False
    hidden: Sequence[str] = ()
    required: str = ""
    empty: str = "no data"

    def transformations(self) -> Iterator[models.DataTransformerConfig]:
        """Yield the transformations of the query results."""
        several = len(self.queries) > 1
        if several:
            yield _transformation("merge", {})
        if self.required:
            yield _transformation("filterByValue", _has_value(f"Value #{self.required}"))
        yield _transformation("sortBy", {"sort": [{"field": self.sort, "desc": self.descending}]})
        fields = [column.field_name(several_queries=several) for column in self.columns]
        titles = [column.title for column in self.columns]
        arranged = {
            "excludeByName": dict.fromkeys(("Time", *self.hidden), True),
            "indexByName": {name: index for index, name in enumerate(fields)},
            "renameByName": dict(zip(fields, titles, strict=True)),
        }
        yield _transformation("organize", arranged)


def table_panel(
    title: str, description: str, content: TableContent, *, height: int = 9, width: int = WIDTH
) -> table.Panel:
    """Return a table of current values."""
    panel = table.Panel().title(title).description(description).datasource(PROMETHEUS).span(width).height(height)
    panel = panel.cell_options(TableAutoCellOptions()).min_width(60).no_value(content.empty)
    panel = panel.targets([table_query(expression, ref) for ref, expression in content.queries.items()])
    panel = panel.transformations(list(content.transformations()))
    for column in content.columns:
        panel = panel.override_by_name(column.title, column.options())
    return panel


def _transformation(name: str, options: dict[str, Any]) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(id_val=name, options=options)


def _has_value(field: str) -> dict[str, Any]:
    wanted = {"fieldName": field, "config": {"id": "isNotNull", "options": {}}}
    return {"filters": [wanted], "type": "include", "match": "all"}
