"""Links between dashboards, to the exporter's status page and to runbooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.domain.service import Service

OVERVIEW, DATA_SOURCE, CAPACITY = "overview", "data-source", "index-capacity"
EXPORTER = "qbusiness-exporter"
OVERVIEW_TAG = "sync-overview"
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


TO_STATUS_PAGE = Link(
    "Last error and recent syncs on the status page",
    f"{STATUS_PAGE}/?data_source_id={field('data_source_id')}",
    new_tab=True,
)
TO_RUNBOOK = Link("Runbook", f"{RUNBOOKS}${{__value.raw}}", new_tab=True)


class DashboardSet:
    """The dashboards of a service, by kind. They link to each other and to the dashboard of the exporter."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.title = service.title.removeprefix("Amazon ")
        self.kinds = {OVERVIEW: "Overview", DATA_SOURCE: "Data source"}
        if service.members.documents_limit:
            self.kinds[CAPACITY] = "Index capacity"

    def uid(self, kind: str) -> str:
        """Return the uid of a dashboard."""
        return f"{self._service.name}-{kind}"

    @property
    def to_data_source(self) -> Link:
        """The link from the name of a data source to its dashboard."""
        root = self._service.root.word
        return Link(
            "Data source dashboard",
            f"/d/{self._service.data_source_dashboard}?var-{root}={field(root)}&var-data_source={field('data_source_id')}"
            f"&{_SHARED_PARAMETERS}",
        )

    def navigation(self, kind: str) -> Iterator[build.DashboardLink]:
        """Yield the links at the top of a dashboard. Those to dashboards keep the variables and the time range."""
        for other, title in self.kinds.items():
            if other != kind:
                yield _to_dashboard(title, self.uid(other))
        yield _to_dashboard("Exporter", EXPORTER)
        yield from _to_exporter("/?data_source_id=${data_source}" if kind == DATA_SOURCE else "/")


def exporter_navigation() -> Iterator[build.DashboardLink]:
    """Yield the links at the top of the exporter's dashboard: the overviews that are installed, and its own pages."""
    overviews = build.DashboardLink("Overviews").type(DashboardLinkType.DASHBOARDS).tags([OVERVIEW_TAG])
    yield overviews.include_vars(include_vars=True).keep_time(keep_time=True).icon("dashboard")
    yield from _to_exporter("/")


def _to_dashboard(title: str, uid: str) -> build.DashboardLink:
    link = _link(title, f"/d/{uid}").include_vars(include_vars=True).keep_time(keep_time=True)
    return link.icon("dashboard")


def _to_exporter(path: str) -> Iterator[build.DashboardLink]:
    """Yield the links to the status page, filtered by `path`, and to the runbooks."""
    yield _link("Status page", f"{STATUS_PAGE}{path}").target_blank(target_blank=True)
    yield _link("Runbooks", RUNBOOKS).target_blank(target_blank=True).icon("doc")


def _link(title: str, url: str) -> build.DashboardLink:
    return build.DashboardLink(title).type(DashboardLinkType.LINK).url(url).icon("external link")
