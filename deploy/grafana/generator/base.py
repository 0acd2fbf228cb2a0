"""The common parts of all dashboards: variables, links, annotations and time settings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.generator.links import OVERVIEW, OVERVIEW_TAG, DashboardSet
from deploy.grafana.generator.panels import PROMETHEUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.grafana.generator.queries import ServiceQueries

TAG = "qbusiness-exporter"
SCHEMA_VERSION = 38  # of Grafana 10.0; later versions migrate it when they load the dashboard


def new_dashboard(
    uid: str, title: str, description: str, tags: Sequence[str], links: Iterable[build.DashboardLink]
) -> build.Dashboard:
    """Return a dashboard without panels and variables."""
    board = build.Dashboard(title).uid(uid).description(description)
    board = board.tags([TAG, *tags]).timezone("browser").refresh("1m").time("now-24h", "now")
    return board.tooltip(models.DashboardCursorSync.CROSSHAIR).editable().links([*links])


def service_dashboard(
    q: ServiceQueries, kind: str, description: str, variables: Sequence[build.QueryVariable]
) -> build.Dashboard:
    """Return a dashboard of a service without panels."""
    dashboards = DashboardSet(q.service)
    tags = [q.service.name, *([OVERVIEW_TAG] if kind == OVERVIEW else [])]
    title = f"{dashboards.title} / {dashboards.kinds[kind]}"
    board = new_dashboard(dashboards.uid(kind), title, description, tags, dashboards.navigation(kind))
    return with_variables(board, variables)


def with_variables(board: build.Dashboard, variables: Sequence[build.QueryVariable]) -> build.Dashboard:
    """Return a dashboard with the common variables, followed by its own."""
    prometheus = build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    prometheus = prometheus.description("The Prometheus server that scrapes the exporter and evaluates its rules.")
    exporter = build.TextBoxVariable("exporter_url").label("Exporter URL").default_value("http://localhost:10142")
    exporter = exporter.description("URL of the exporter in your browser. Links to the status page use it.")
    return board.variables([prometheus, *variables, exporter])


def query_variable(name: str, label: str, query: str, *, multi: bool = True, regex: str = "") -> build.QueryVariable:
    """Return a variable whose options come from a Prometheus query."""
    variable = build.QueryVariable(name).label(label).datasource(PROMETHEUS)
    variable = variable.query({"query": query, "refId": f"variable-{name}"}).regex(regex)
    variable = variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable = variable.sort(models.VariableSort.ALPHABETICAL_ASC).multi(multi).include_all(multi)
    if multi:
        everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
        variable = variable.all_value(".*").current(everything)
    return variable


def root_variable(q: ServiceQueries, metric: str = "poll_success") -> build.QueryVariable:
    """Return the variable for the outermost containers, by name."""
    root = q.service.root
    return query_variable(root.word, root.text.capitalize(), f"label_values({q.prefix}_{metric}, {root.word})")


def data_source_variable(q: ServiceQueries, *, multi: bool = True) -> build.QueryVariable:
    """Return the variable for data sources, which displays names; its values are ids, because names are not unique."""
    root = q.service.root.word
    chosen = f'{{{root}=~"${root}"}}'
    series = f"{q.freshest}{chosen} or {q.prefix}_poll_success{chosen}"
    query = f"query_result(max by (data_source, data_source_id) ({series}))"
    named = r'/data_source="(?<text>[^"]+)",\s*data_source_id="(?<value>[^"]+)"/'
    return query_variable("data_source", "Data source", query, multi=multi, regex=named)


def failed_sync_annotation(q: ServiceQueries, *, enabled: bool) -> build.AnnotationQuery:
    """Return the annotation that marks the end of each failed sync, at the time reported by AWS."""
    ended = " or ".join(q.select(f"last_completed_sync_{edge}_timestamp_seconds") for edge in ("end", "start"))
    failed = q.has_status("last_completed_sync_status", "FAILED")
    expression = q.per_source(f"1000 * ({ended}) and on (data_source_id) {failed} and {q.freshest}")
    query = build.AnnotationQuery().name("Failed syncs").datasource(PROMETHEUS).enable(enabled).icon_color("red")
    query = query.expr(expression).use_value_for_time(use_value_for_time=True).step("60s")
    return query.title_format("Sync failed").text_format(q.source_legend).tag_keys(q.service.root.word)


def to_json(board: build.Dashboard) -> str:
    """Return the content of the dashboard's file, with panel ids in the order of the panels."""
    built = board.build()
    built.schema_version = SCHEMA_VERSION
    plain: dict[str, Any] = json.loads(json.dumps(built, cls=JSONEncoder))
    for number, panel in enumerate(plain["panels"], 1):
        panel["id"] = number
    _remove_unsupported(plain)
    return json.dumps(plain, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _remove_unsupported(plain: dict[str, Any]) -> None:
    """Remove the fields that the SDK adds and the schema of Grafana does not have."""
    for item in (*plain["links"], *plain.get("annotations", {}).get("list", [])):
        del item["placement"]  # the only value that Grafana supports hides the item in a menu
    for variable in plain["templating"]["list"]:
        for name in ("auto", "auto_count", "auto_min"):
            del variable[name]
    for panel in plain["panels"]:
        if panel["type"] == "table":
            del panel["options"]["footer"]
