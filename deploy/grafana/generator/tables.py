"""Tables of what is known now: one row for each thing, its columns from several queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import TableAutoCellOptions

from deploy.grafana.generator.panels import PROMETHEUS, WIDTH, prop, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from deploy.grafana.generator.links import Link


@dataclass(frozen=True)
class Column:
    """A column: the label, or the query (by its name), that it comes from, and how it looks."""

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

    def field(self, *, of_several: bool) -> str:
        """Name the field as Grafana does: it tells values apart only where there are several queries."""
        return self.label or (f"Value #{self.query}" if of_several else "Value")

    def properties(self) -> list[models.DynamicConfigValue]:
        """Say what sets it apart."""
        given: dict[str, Any] = {
            "unit": self.unit,
            "decimals": self.decimals,
            "mappings": list(self.mappings),
            "thresholds": self.thresholds,
            "noValue": "-",
            "links": [link.in_data() for link in self.links],
            "custom.width": self.width or None,
        }
        found = [prop(name, value) for name, value in given.items() if value not in ("", None, [])]
        if self.filled or self.mappings or self.thresholds:
            found.append(prop("custom.cellOptions", _cell(filled=self.filled)))
        return found


def _cell(*, filled: bool) -> dict[str, str]:
    return {"type": "color-background", "mode": "basic"} if filled else {"type": "color-text"}


@dataclass(frozen=True)
class Rows:
    """The rows of a table: queries joined on the labels that they share.

    With `needs`, only the rows that this query has a value for are kept; `hidden` fields are not columns; `empty` is
    what is said when there are no rows.
    """

    queries: Mapping[str, str]
    columns: Sequence[Column]
    sort: str
    descending: bool = False
    hidden: Sequence[str] = ()
    needs: str = ""
    empty: str = "no data"

    def transformations(self) -> Iterator[models.DataTransformerConfig]:
        """Say what is made of the answers."""
        several = len(self.queries) > 1
        if several:
            yield _transformation("merge", {})
        if self.needs:
            yield _transformation("filterByValue", _has_value(f"Value #{self.needs}"))
        yield _transformation("sortBy", {"sort": [{"field": self.sort, "desc": self.descending}]})
        fields = [column.field(of_several=several) for column in self.columns]
        titles = [column.title for column in self.columns]
        arranged = {
            "excludeByName": dict.fromkeys(("Time", *self.hidden), True),
            "indexByName": {name: index for index, name in enumerate(fields)},
            "renameByName": dict(zip(fields, titles, strict=True)),
        }
        yield _transformation("organize", arranged)


def listing(title: str, description: str, content: Rows, *, height: int = 9, width: int = WIDTH) -> table.Panel:
    """Show rows, as of now."""
    panel = table.Panel().title(title).description(description).datasource(PROMETHEUS).span(width).height(height)
    panel = panel.cell_options(TableAutoCellOptions()).min_width(60).no_value(content.empty)
    panel = panel.targets([rows(expression, ref) for ref, expression in content.queries.items()])
    panel = panel.transformations(list(content.transformations()))
    for column in content.columns:
        panel = panel.override_by_name(column.title, column.properties())
    return panel


def _transformation(name: str, options: dict[str, Any]) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(id_val=name, options=options)


def _has_value(field: str) -> dict[str, Any]:
    wanted = {"fieldName": field, "config": {"id": "isNotNull", "options": {}}}
    return {"filters": [wanted], "type": "include", "match": "all"}
