"""Indexes: how full each is, of documents and of text, and when it will be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row

from deploy.grafana.generator import board, looks, panels
from deploy.grafana.generator.links import INDEX_CAPACITY
from deploy.grafana.generator.queries import CHOSEN_INDEX, INDEX, count, known, not_working, select
from deploy.grafana.generator.tables import Column, Rows, listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders.bargauge import Panel as Ranking
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.builders.stat import Panel as Figure
    from grafana_foundation_sdk.builders.table import Panel as Table
    from grafana_foundation_sdk.builders.timeseries import Panel as Lines

_NAME = "{{application}} / {{index}}"
_AS_OF = "as of the last discovery"
_KINDS = {"documents": "documents", "text_bytes": "text"}
_TITLES = {"documents": "Docs", "text_bytes": "Text"}
_NEAR = (0.8, "orange"), (0.9, looks.BAD)
_GROWTH_OVER = "1d"
_AT_THE_END = " @ end()"


def _of_index(metric: str, *matchers: str, by: str = INDEX, at: str = "") -> str:
    return f"max by ({by}) ({known(metric, *matchers, chosen=CHOSEN_INDEX, at=at)})"


def _ratio(kind: str, at: str = "") -> str:
    return f"max by ({INDEX}) ({select(f'index:qbusiness_index_{kind}:ratio', chosen=CHOSEN_INDEX)}{at})"


def _growth(kind: str) -> str:
    """Give the growth a second; several replicas see the same."""
    return f"max by ({INDEX}) (deriv({select(f'qbusiness_index_{kind}', chosen=CHOSEN_INDEX)}[{_GROWTH_OVER}]))"


def _full_in(kind: str) -> str:
    room = f"{_of_index(f'qbusiness_index_{kind}_limit')} - {_of_index(f'qbusiness_index_{kind}')}"
    return f"({room}) / ({_growth(kind)} > 0)"


def dashboard() -> Dashboard:
    """Make it."""
    about = "How full each index is, of documents and of extracted text, how it grows, and when it will be full."
    names = r'/index="(?<text>[^"]+)",\s*index_id="(?<value>[^"]+)"/'
    series = 'qbusiness_index_info{application=~"$application"}'
    index = board.choice("index", "Index", f"query_result(max by (index, index_id) ({series}))", regex=names)
    page = board.frame(INDEX_CAPACITY, about, [board.applications("qbusiness_index_info"), index])
    for figure in _figures():
        page = page.with_panel(figure)
    page = page.with_panel(_indexes())
    for ranking in _rankings():
        page = page.with_panel(ranking)
    page = page.with_row(Row("Over time"))
    for panel in _over_time():
        page = page.with_panel(panel)
    return page


def _figures() -> Iterator[Figure]:
    near = looks.steps(looks.GOOD, *_NEAR)
    yield panels.figure(
        "Indexes",
        "Indexes that discovery has read, from qbusiness_index_info. No data: the exporter is not scraped, or "
        "discovery is off or fails.",
        panels.now(f"count({_of_index('qbusiness_index_info')})"),
        "none seen",
        width=4,
        thresholds=looks.steps(looks.CALM),
    )
    for kind, noun in _KINDS.items():
        yield panels.figure(
            f"Fullest by {noun}",
            f"The share of its limit on {noun} that the fullest index has used, from qbusiness_index_{kind} and "
            f"qbusiness_index_{kind}_limit (a recording rule), {_AS_OF}.",
            panels.now(f"max({_ratio(kind)})"),
            width=4,
            unit="percentunit",
            decimals=1,
            thresholds=near,
        )
    either = " or ".join(f"{_ratio(kind)} > 0.8" for kind in _KINDS)
    all_of_them = _of_index("qbusiness_index_info")
    yield panels.figure(
        "Above 80%",
        "Indexes that have used more than 80% of their limit on documents or on text. Documents that do not fit fail.",
        panels.now(count(either, among=all_of_them)),
        width=4,
        thresholds=looks.steps(looks.GOOD, (1, "orange")),
    )
    active = _of_index("qbusiness_index_status", 'status="ACTIVE"')
    yield panels.figure(
        "Not ACTIVE",
        "Indexes whose status is anything but ACTIVE, from qbusiness_index_status.",
        panels.now(not_working(active)),
        width=4,
        thresholds=looks.steps(looks.GOOD, (1, looks.BAD)),
    )
    discovered = "max by (target) (last_over_time(qbusiness_exporter_last_successful_discovery_timestamp_seconds[10m]))"
    yield panels.figure(
        "Oldest discovery",
        "How long ago a discovery last worked in every part, for the target where that is the longest. All "
        "figures of indexes are as of the last discovery, every discovery.interval: 15 minutes by default.",
        panels.now(f"max(clamp_min(time() - {discovered}, 0))"),
        width=4,
        unit="s",
        decimals=0,
        thresholds=looks.steps(looks.GOOD, (3600, "orange"), (6 * 3600, looks.BAD)),
    )


def _indexes() -> Table:
    near = looks.steps(looks.GOOD, *_NEAR).build()
    soon = looks.steps(looks.BAD, (7 * 86400, "orange"), (30 * 86400, looks.GOOD)).build()
    current = (
        f'label_replace({known("qbusiness_index_status", chosen=CHOSEN_INDEX)} == 1, "state", "$1", "status", "(.+)")'
    )
    queries = {
        "info": _of_index("qbusiness_index_info", by=f"{INDEX}, index_type, aws_account_id, aws_region"),
        "state": f"topk by (index_id) (1, max by ({INDEX}, state) ({current}))",
        "units": _of_index("qbusiness_index_capacity_units"),
    }
    columns = [
        Column("Application", label="application"),
        Column("Index", label="index"),
        Column("State", label="state", mappings=looks.words(looks.RESOURCE_COLOURS)),
        Column("Type", label="index_type"),
        Column("Units", query="units"),
    ]
    for kind, title in _TITLES.items():
        unit = "locale" if kind == "documents" else "decbytes"
        queries |= {
            kind: _of_index(f"qbusiness_index_{kind}"),
            f"{kind}_limit": _of_index(f"qbusiness_index_{kind}_limit"),
            f"{kind}_ratio": _ratio(kind),
            f"{kind}_full": _full_in(kind),
        }
        columns += [
            Column(title, query=kind, unit=unit),
            Column(f"{title} limit", query=f"{kind}_limit", unit=unit),
            Column(
                f"{title} used",
                query=f"{kind}_ratio",
                unit="percentunit",
                decimals=1,
                thresholds=near,
                filled=True,
            ),
            Column(f"{title} full in", query=f"{kind}_full", unit="s", decimals=1, thresholds=soon),
        ]
    columns += [Column("Account", label="aws_account_id", width=125), Column("Region", label="aws_region")]
    return listing(
        "Indexes",
        f"What GetIndex says of each index, {_AS_OF}. A unit of capacity holds 20,000 documents or 200 MB of "
        f"extracted text, whichever is reached first. Full in: at the pace of the past {_GROWTH_OVER}; empty where "
        "the index does not grow.",
        Rows(
            queries,
            columns,
            sort="Value #documents_ratio",
            descending=True,
            hidden=["Value #info", "Value #state", "index_id"],
        ),
        height=6,
    )


def _rankings() -> Iterator[Ranking]:
    for kind, noun in _KINDS.items():
        yield panels.ranking(
            f"Fullest by {noun}",
            f"The six indexes that have used most of their limit on {noun}, {_AS_OF}.",
            panels.now(f"topk(6, {_ratio(kind)})", _NAME),
            width=12,
            unit="percentunit",
            decimals=1,
            most=1,
            thresholds=looks.steps(looks.GOOD, *_NEAR),
        )


def _over_time() -> Iterator[Lines]:
    for kind, noun in _KINDS.items():
        fullest = f"topk(10, {_ratio(kind, _AT_THE_END)})"
        yield panels.lines(
            f"Used of the limit on {noun}",
            f"The share of the limit on {noun} that is used, of the ten indexes that are fullest now. A fall is "
            "more capacity, or less content.",
            panels.over_time(f"{_ratio(kind)} and on (index_id) {fullest}", _NAME),
            unit="percentunit",
            least=0,
        ).axis_soft_max(1)
    for kind, noun in _KINDS.items():
        growth = f"86400 * {_growth(kind)}"
        yield panels.lines(
            f"Growth of {noun} a day",
            f"How fast {noun} grow or shrink at the pace of the past {_GROWTH_OVER}, of the ten indexes that are "
            "fullest now.",
            panels.over_time(f"{growth} and on (index_id) topk(10, {_ratio(kind, _AT_THE_END)})", _NAME),
            unit="short" if kind == "documents" else "decbytes",
        )
    yield panels.lines(
        "Units of capacity",
        f"Units of capacity of each index, {_AS_OF}, from qbusiness_index_capacity_units: the ten with the most.",
        panels.over_time(
            f"{_of_index('qbusiness_index_capacity_units')} and on (index_id) "
            f"topk(10, {_of_index('qbusiness_index_capacity_units', at=_AT_THE_END)})",
            _NAME,
        ),
        width=24,
        least=0,
    ).decimals(0)
