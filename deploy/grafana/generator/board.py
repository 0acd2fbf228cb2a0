"""The frame of every dashboard: variables, links, annotations, time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.generator.links import TITLES, on_top
from deploy.grafana.generator.panels import PROMETHEUS
from deploy.grafana.generator.queries import FRESHEST, has_status, of_source, select

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA_VERSION = 38  # Grafana 10.0's: it loads as it is there, and later ones migrate it


def frame(uid: str, description: str, variables: Sequence[build.QueryVariable]) -> build.Dashboard:
    """Begin a dashboard."""
    board = build.Dashboard(f"Q Business / {TITLES[uid]}").uid(uid).description(description)
    board = board.tags(["qbusiness"]).timezone("browser").refresh("1m").time("now-24h", "now")
    board = board.tooltip(models.DashboardCursorSync.CROSSHAIR).editable().links([*on_top(uid)])
    prometheus = build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    prometheus = prometheus.description("The Prometheus that scrapes the exporter and evaluates its rules.")
    page = build.TextBoxVariable("exporter_url").label("Exporter URL").default_value("http://localhost:10142")
    page = page.description("Where your browser reaches the exporter's status page; links to it are made with this.")
    return board.variables([prometheus, *variables, page])


def choice(name: str, label: str, query: str, *, several: bool = True, regex: str = "") -> build.QueryVariable:
    """Let one or several things be chosen, of those that Prometheus knows."""
    variable = build.QueryVariable(name).label(label).datasource(PROMETHEUS)
    variable = variable.query({"query": query, "refId": f"variable-{name}"}).regex(regex)
    variable = variable.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable = variable.sort(models.VariableSort.ALPHABETICAL_ASC).multi(several).include_all(several)
    if several:
        everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
        variable = variable.all_value(".*").current(everything)
    return variable


def applications(metric: str = "qbusiness_poll_success") -> build.QueryVariable:
    """Let applications be chosen."""
    return choice("application", "Application", f"label_values({metric}, application)")


def data_sources(*, several: bool = True) -> build.QueryVariable:
    """Let data sources be chosen by name; the value is the id, which a name need not be."""
    series = f'{FRESHEST}{{application=~"$application"}} or qbusiness_poll_success{{application=~"$application"}}'
    query = f"query_result(max by (data_source, data_source_id) ({series}))"
    named = r'/data_source="(?<text>[^"]+)",\s*data_source_id="(?<value>[^"]+)"/'
    return choice("data_source", "Data source", query, several=several, regex=named)


def failed_syncs(*, shown: bool) -> build.AnnotationQuery:
    """Mark when failed syncs ended, by AWS's clock, each once."""
    ended = " or ".join(select(f"qbusiness_last_completed_sync_{edge}_timestamp_seconds") for edge in ("end", "start"))
    failed = has_status("qbusiness_last_completed_sync_status", "FAILED")
    expression = of_source(f"1000 * ({ended}) and on (data_source_id) {failed} and {FRESHEST}")
    query = build.AnnotationQuery().name("Failed syncs").datasource(PROMETHEUS).enable(shown).icon_color("red")
    query = query.expr(expression).use_value_for_time(use_value_for_time=True).step("60s")
    return query.title_format("Sync failed").text_format("{{application}} / {{data_source}}").tag_keys("application")


def finished(board: build.Dashboard) -> str:
    """Give the dashboard as the text of its file."""
    built = board.build()
    built.schema_version = SCHEMA_VERSION
    plain: dict[str, Any] = json.loads(json.dumps(built, cls=JSONEncoder))
    for number, panel in enumerate(plain["panels"], 1):
        panel["id"] = number
    _tidy(plain)
    return json.dumps(plain, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _tidy(plain: dict[str, Any]) -> None:
    """Take away what the SDK adds of its own accord and Grafana's own schema does not have."""
    for shown in (*plain["links"], *plain.get("annotations", {}).get("list", [])):
        del shown["placement"]  # the only one that it knows hides them in a menu
    for variable in plain["templating"]["list"]:
        for name in ("auto", "auto_count", "auto_min"):
            del variable[name]
    for panel in plain["panels"]:
        if panel["type"] == "table":
            del panel["options"]["footer"]
