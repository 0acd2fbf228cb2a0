"""The dashboard of index capacity: usage of the document and text limits, growth, and time until full.

An index is here a container of any service that reports sizes. Queries use the word of the service, and texts say
index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import Row

from deploy.grafana.generator import base, panels, styles
from deploy.grafana.generator.links import CAPACITY
from deploy.grafana.generator.queries import count, count_zeros
from deploy.grafana.generator.tables import Column, TableContent, table_panel, width_of
from exporter.domain.service import Use

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from grafana_foundation_sdk.builders.bargauge import Panel as BarGauge
    from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable
    from grafana_foundation_sdk.builders.stat import Panel as Stat
    from grafana_foundation_sdk.builders.table import Panel as Table
    from grafana_foundation_sdk.builders.timeseries import Panel as TimeSeries

    from deploy.grafana.generator.queries import ServiceQueries

_AS_OF = "at the last discovery run"
_LIMITS = {"documents": "document", "text_bytes": "text"}
_COLUMN_TITLES = {"documents": "Docs", "text_bytes": "Text"}
_NEAR_LIMIT = (0.8, "orange"), (0.9, styles.BAD)
_GROWTH_WINDOW = "1d"
_AT_END = " @ end()"


def _of_index(q: ServiceQueries, metric: str, *matchers: str, by: Sequence[str] = (), at: str = "") -> str:
    known = q.last_known(f"{q.service.container.word}_{metric}", *matchers, selected=q.selected_containers, at=at)
    return f"max by ({', '.join((q.container_labels, *by))}) ({known})"


def _legend(q: ServiceQueries) -> str:
    words = dict.fromkeys((q.service.root.word, q.service.container.word))
    return " / ".join(f"{{{{{word}}}}}" for word in words)


def _ratio(q: ServiceQueries, kind: str, at: str = "") -> str:
    word = q.service.container.word
    ratio = f"{word}:{q.prefix}_{word}_{kind}:ratio{{{q.selected_containers}}}"
    return f"max by ({q.container_labels}) ({ratio}{at})"


def _growth(q: ServiceQueries, kind: str) -> str:
    """Return the growth per second, which is the same on all replicas."""
    held = q.select(f"{q.service.container.word}_{kind}", selected=q.selected_containers)
    return f"max by ({q.container_labels}) (deriv({held}[{_GROWTH_WINDOW}]))"


def _full_in(q: ServiceQueries, kind: str) -> str:
    """Return the seconds until an index is full at its current growth; no series if it does not grow."""
    free = f"{_of_index(q, f'{kind}_limit')} - {_of_index(q, kind)}"
    return f"({free}) / ({_growth(q, kind)} > 0)"


def dashboard(q: ServiceQueries) -> Dashboard:
    """Return the dashboard of index capacity."""
    description = "Usage of the document and text limits of each index, its growth, and the time until it is full."
    board = base.service_dashboard(q, CAPACITY, description, [*_variables(q)])
    for stat in _stats(q):
        board = board.with_panel(stat)
    board = board.with_panel(_indexes(q))
    for gauge in _bar_gauges(q):
        board = board.with_panel(gauge)
    board = board.with_row(Row("History"))
    for panel in _history(q):
        board = board.with_panel(panel)
    return board


def _variables(q: ServiceQueries) -> Iterator[QueryVariable]:
    """Yield the variables: the outermost containers by name, and the indexes by id where they are not outermost."""
    yield base.root_variable(q, f"{q.service.container.word}_info")
    if q.service.container is not q.service.root:
        root, container = q.service.root.word, q.service.container
        names = rf'/{container.word}="(?<text>[^"]+)",\s*{container.key}="(?<value>[^"]+)"/'
        series = f'{q.container_family}_info{{{root}=~"${root}"}}'
        query = f"query_result(max by ({container.word}, {container.key}) ({series}))"
        yield base.query_variable(container.word, container.text.capitalize(), query, regex=names)


def _stats(q: ServiceQueries) -> Iterator[Stat]:
    near_limit = styles.thresholds(styles.GOOD, *_NEAR_LIMIT)
    yield panels.stat_panel(
        "Indexes",
        f"Indexes that discovery has read, from {q.container_family}_info. No data: Prometheus does not scrape the "
        "exporter, or discovery is disabled or failing.",
        panels.instant_query(f"count({_of_index(q, 'info')})"),
        "none seen",
        width=4,
        thresholds=styles.thresholds(styles.NEUTRAL),
    )
    for kind, limit in _LIMITS.items():
        yield panels.stat_panel(
            f"Highest {limit} usage",
            f"Usage of the {limit} limit of the fullest index, from {q.container_family}_{kind} and "
            f"{q.container_family}_{kind}_limit (a recording rule), {_AS_OF}.",
            panels.instant_query(f"max({_ratio(q, kind)})"),
            width=4,
            unit="percentunit",
            decimals=1,
            thresholds=near_limit,
        )
    either = " or ".join(f"{_ratio(q, kind)} > 0.8" for kind in _LIMITS)
    all_indexes = _of_index(q, "info")
    yield panels.stat_panel(
        "Near limit",
        "Indexes that use more than 80% of their document limit or text limit. When an index is full, further "
        "documents fail.",
        panels.instant_query(count(either, all_indexes)),
        width=4,
        thresholds=styles.thresholds(styles.GOOD, (1, "orange")),
    )
    healthy = q.service.healthy_container_statuses
    active = _of_index(q, "status", _one_of(healthy))
    yield panels.stat_panel(
        f"Not {healthy[0]}",
        f"Indexes with any status other than {' or '.join(healthy)}, from {q.container_family}_status.",
        panels.instant_query(count_zeros(active)),
        width=4,
        thresholds=styles.thresholds(styles.GOOD, (1, styles.BAD)),
    )
    discovered = "max by (target) (last_over_time(qbusiness_exporter_last_successful_discovery_timestamp_seconds[10m]))"
    yield panels.stat_panel(
        "Oldest discovery",
        "Time since the last fully successful discovery run, for the target where it is longest. All index values are "
        "from discovery runs, which start every discovery.interval, 15 minutes by default.",
        panels.instant_query(f"max(clamp_min(time() - {discovered}, 0))"),
        width=4,
        unit="s",
        decimals=0,
        thresholds=styles.thresholds(styles.GOOD, (3600, "orange"), (6 * 3600, styles.BAD)),
    )


def _one_of(statuses: Sequence[str]) -> str:
    return f'status=~"{"|".join(statuses)}"'


def _indexes(q: ServiceQueries) -> Table:
    container = q.service.container
    near_limit = styles.thresholds(styles.GOOD, *_NEAR_LIMIT).build()
    full_soon = styles.thresholds(styles.BAD, (7 * 86400, "orange"), (30 * 86400, styles.GOOD)).build()
    status = q.last_known(f"{container.word}_status", selected=q.selected_containers)
    outer = [level for level in q.service.containers if level is not q.service.container]
    current = f'label_replace({status} == 1, "state", "$1", "status", "(.+)")'
    members = q.service.members
    queries = {
        "info": _of_index(q, "info", by=(f"{container.word}_type", "aws_account_id", "aws_region")),
        "state": f"topk by ({container.key}) (1, max by ({q.container_labels}, state) ({current}))",
        "units": _of_index(q, "capacity_units"),
    }
    columns = [
        *(Column(level.text.capitalize(), label=level.word) for level in outer),
        Column(container.text.capitalize(), label=container.word),
        Column(
            "Status",
            label="state",
            mappings=styles.text_mappings(styles.RESOURCE_COLOURS),
            width=width_of(q.service.container_statuses, least=70),
        ),
        Column("Type", label=f"{container.word}_type", width=width_of(q.service.container_types, least=70)),
        Column("Units", query="units", width=60),
    ]
    for kind, title in _COLUMN_TITLES.items():
        unit = "locale" if kind == "documents" else "decbytes"
        queries |= {
            kind: _of_index(q, kind),
            f"{kind}_limit": _of_index(q, f"{kind}_limit"),
            f"{kind}_ratio": _ratio(q, kind),
            f"{kind}_full": _full_in(q, kind),
        }
        columns += [
            Column(title, query=kind, unit=unit),
            Column(f"{title} limit", query=f"{kind}_limit", unit=unit),
            Column(
                f"{title} usage",
                query=f"{kind}_ratio",
                unit="percentunit",
                decimals=1,
                thresholds=near_limit,
                filled=True,
            ),
            Column(f"{title} full in", query=f"{kind}_full", unit="s", decimals=1, thresholds=full_soon),
        ]
    columns += [Column("Account", label="aws_account_id", width=125), Column("Region", label="aws_region")]
    return table_panel(
        "Indexes",
        f"Result of {q.service.action(Use.CONTAINER)} for each index, {_AS_OF}. The document limit is "
        f"{members.documents_limit}, and the text limit is {members.text_bytes_limit}. The one that is reached "
        'first applies. "Full in" extrapolates the growth of the past day, and is empty if the index does not grow.',
        TableContent(
            queries,
            columns,
            sort="Value #documents_ratio",
            descending=True,
            hidden=["Value #info", "Value #state", container.key],
        ),
        height=6,
    )


def _bar_gauges(q: ServiceQueries) -> Iterator[BarGauge]:
    for kind, limit in _LIMITS.items():
        yield panels.bar_gauge(
            f"Top indexes by {limit} usage",
            f"The six indexes with the highest usage of their {limit} limit, {_AS_OF}.",
            panels.instant_query(f"topk(6, {_ratio(q, kind)})", _legend(q)),
            width=12,
            unit="percentunit",
            decimals=1,
            maximum=1,
            thresholds=styles.thresholds(styles.GOOD, *_NEAR_LIMIT),
        )


def _history(q: ServiceQueries) -> Iterator[TimeSeries]:
    for kind, limit in _LIMITS.items():
        fullest = f"topk(10, {_ratio(q, kind, _AT_END)})"
        yield panels.line_chart(
            f"{limit.capitalize()} usage",
            f"Usage of the {limit} limit over time, for the ten indexes that are fullest now. A decrease means more "
            "capacity or less content.",
            panels.range_query(f"{_ratio(q, kind)} and on ({q.service.container.key}) {fullest}", _legend(q)),
            unit="percentunit",
            minimum=0,
        ).axis_soft_max(1)
    for kind, limit in _LIMITS.items():
        growth = f"86400 * {_growth(q, kind)}"
        yield panels.line_chart(
            f"{limit.capitalize()} growth",
            "Growth per day, measured over the past day, for the ten indexes that are fullest now.",
            panels.range_query(
                f"{growth} and on ({q.service.container.key}) topk(10, {_ratio(q, kind, _AT_END)})", _legend(q)
            ),
            unit="short" if kind == "documents" else "decbytes",
        )
    yield panels.line_chart(
        "Capacity units",
        f"Capacity units of each index, {_AS_OF}, from {q.container_family}_capacity_units. Limited to the ten indexes "
        "with the most units.",
        panels.range_query(
            f"{_of_index(q, 'capacity_units')} and on ({q.service.container.key}) "
            f"topk(10, {_of_index(q, 'capacity_units', at=_AT_END)})",
            _legend(q),
        ),
        width=24,
        minimum=0,
    ).decimals(0)
