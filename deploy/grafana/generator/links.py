"""Ways from one page to the next: other dashboards, the exporter's status page, runbooks."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

OVERVIEW, DATA_SOURCE = "qbusiness-overview", "qbusiness-data-source"
INDEX_CAPACITY, EXPORTER = "qbusiness-index-capacity", "qbusiness-exporter"
TITLES = {OVERVIEW: "Overview", DATA_SOURCE: "Data source", INDEX_CAPACITY: "Index capacity", EXPORTER: "Exporter"}
RUNBOOKS = "https://github.com/example/qbusiness-exporter/blob/main/docs/runbooks/"
STATUS_PAGE = "${exporter_url:raw}"

_KEPT = "${datasource:queryparam}&${exporter_url:queryparam}&${__url_time_range}"


@dataclass(frozen=True)
class Link:
    """A link from a cell or a series."""

    title: str
    url: str
    new_tab: bool = False

    def in_data(self) -> dict[str, object]:
        """Give it as fields have links."""
        return {"title": self.title, "url": self.url, "targetBlank": self.new_tab}


def field(name: str) -> str:
    """Refer to a column of the row that is clicked: to what it shows, so it must show the thing itself."""
    return f"${{__data.fields.{name}}}"


TO_DATA_SOURCE = Link(
    "This data source in depth",
    f"/d/{DATA_SOURCE}?var-application={field('application')}&var-data_source={field('data_source_id')}&{_KEPT}",
)
TO_STATUS_PAGE = Link(
    "Last error and recent syncs on the status page",
    f"{STATUS_PAGE}/?data_source_id={field('data_source_id')}",
    new_tab=True,
)
TO_RUNBOOK = Link("Runbook", f"{RUNBOOKS}${{__value.raw}}.md", new_tab=True)
TO_INDEX = Link(
    "This index", f"/d/{INDEX_CAPACITY}?var-application={field('application')}&var-index={field('index_id')}&{_KEPT}"
)


def on_top(uid: str) -> list[build.DashboardLink]:
    """Give the links at the top: the other dashboards, with variables and time kept, the status page, the runbooks."""
    found = [
        _link(title, f"/d/{other}").include_vars(include_vars=True).keep_time(keep_time=True).icon("dashboard")
        for other, title in TITLES.items()
        if other != uid
    ]
    page = "/?data_source_id=${data_source}" if uid == DATA_SOURCE else "/"
    found.append(_link("Status page", f"{STATUS_PAGE}{page}").target_blank(target_blank=True))
    found.append(_link("Runbooks", RUNBOOKS).target_blank(target_blank=True).icon("doc"))
    return found


def _link(title: str, url: str) -> build.DashboardLink:
    return build.DashboardLink(title).type(DashboardLinkType.LINK).url(url).icon("external link")
