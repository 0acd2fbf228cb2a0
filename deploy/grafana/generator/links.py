"""Links between dashboards, to the exporter's status page and to runbooks."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

OVERVIEW, DATA_SOURCE = "qbusiness-overview", "qbusiness-data-source"
INDEX_CAPACITY, EXPORTER = "qbusiness-index-capacity", "qbusiness-exporter"
TITLES = {OVERVIEW: "Overview", DATA_SOURCE: "Data source", INDEX_CAPACITY: "Index capacity", EXPORTER: "Exporter"}
STATUS_PAGE = "${exporter_url:raw}"
RUNBOOKS = f"{STATUS_PAGE}/runbooks/"

_SHARED_PARAMETERS = "${datasource:queryparam}&${exporter_url:queryparam}&${__url_time_range}"


@dataclass(frozen=True)
class Link:
    """A link from a table cell or a series."""

    title: str
    url: str
    new_tab: bool = False

    def as_data_link(self) -> dict[str, object]:
        """Return the link in the format of a field option."""
        return {"title": self.title, "url": self.url, "targetBlank": self.new_tab}


def field(name: str) -> str:
    """Return a variable for a column of the clicked row.

    Grafana inserts the displayed text of the cell, so the column must not map its values to other texts.
    """
    return f"${{__data.fields.{name}}}"


TO_DATA_SOURCE = Link(
    "Data source dashboard",
    f"/d/{DATA_SOURCE}?var-application={field('application')}&var-data_source={field('data_source_id')}"
    f"&{_SHARED_PARAMETERS}",
)
TO_STATUS_PAGE = Link(
    "Last error and recent syncs on the status page",
    f"{STATUS_PAGE}/?data_source_id={field('data_source_id')}",
    new_tab=True,
)
TO_RUNBOOK = Link("Runbook", f"{RUNBOOKS}${{__value.raw}}", new_tab=True)


def navigation(uid: str) -> list[build.DashboardLink]:
    """Return the links at the top of a dashboard: the other dashboards, the status page and the runbooks.

    Links to dashboards keep the variables and the time range.
    """
    links = [
        _link(title, f"/d/{other}").include_vars(include_vars=True).keep_time(keep_time=True).icon("dashboard")
        for other, title in TITLES.items()
        if other != uid
    ]
    path = "/?data_source_id=${data_source}" if uid == DATA_SOURCE else "/"
    links.append(_link("Status page", f"{STATUS_PAGE}{path}").target_blank(target_blank=True))
    links.append(_link("Runbooks", RUNBOOKS).target_blank(target_blank=True).icon("doc"))
    return links


def _link(title: str, url: str) -> build.DashboardLink:
    return build.DashboardLink(title).type(DashboardLinkType.LINK).url(url).icon("external link")
