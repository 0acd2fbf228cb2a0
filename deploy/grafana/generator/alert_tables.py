"""Tables of active alerts. Only the alerting rules define problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import styles
from deploy.grafana.generator.links import TO_RUNBOOK, TO_STATUS_PAGE, DashboardSet
from deploy.grafana.generator.tables import Column, TableContent, table_panel, width_of
from exporter.providers.registry import SERVICES
from exporter.rules.options import RuleOptions
from exporter.rules.renderer import alert_names

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.table import Panel

    from deploy.grafana.generator.queries import ServiceQueries

_EXPORTER_ALERTS = alert_names(RuleOptions(services=()))
_PREFIXES = [service.alert_prefix for service in SERVICES.values()]
_SEVERITIES = ("critical", "warning", "info")
_ALERT_LABELS = "alertname, severity, alertstate"
_SINCE = "ALERTS_FOR_STATE"

_SEVERITY = Column("Severity", label="severity", mappings=styles.text_mappings(styles.SEVERITY_COLOURS), width=80)
_STATE = Column("State", label="alertstate", mappings=styles.text_mappings(styles.ALERT_STATE_COLOURS), width=75)
_ALERT = Column("Alert", label="alertname", mappings=styles.remove_prefixes(_PREFIXES), links=[TO_RUNBOOK])
_ACTIVE_SINCE = Column("Since", query="since", unit="dateTimeFromNow", width=115)


def data_sources_with_alerts(q: ServiceQueries) -> Panel:
    """Return the table of data sources with an alert, most severe first."""
    root = q.service.root
    reasons = q.per_source(f"{q.failures('$__range')} > 0", "reason")
    selected = _of_data_sources(q)
    worst = f"max by ({q.source_labels}, {_ALERT_LABELS}) ({_ranked(selected)})"
    return table_panel(
        "Data sources with alerts",
        "Data sources with a firing or pending alert of deploy/prometheus/rules. Each row shows the most severe alert "
        "and when the first of its alerts became active. If the table is empty and the panel "
        '"Data sources" shows a number, no alert is active. Reason is the most frequent error code of failed syncs in '
        "the time range. The status page has the full error text. Cells are empty if there is no value or AWS does not "
        "report it.",
        TableContent(
            {
                "rank": f"topk by (data_source_id) (1, {worst})",
                "since": f"1000 * min by ({q.source_labels}) ({_SINCE}{{{selected}}})",
                "last": q.status_of("last_completed_sync_status", "last_sync"),
                "streak": q.latest("consecutive_failed_syncs"),
                "age": q.content_age,
                "share": f"{q.content_age} / {q.max_age}",
                "reason": f"topk by (data_source_id) (1, {reasons})",
            },
            [
                _SEVERITY,
                _STATE,
                Column(root.text.capitalize(), label=root.word, width=width_of([root.text], least=95)),
                Column("Data source", label="data_source", links=[DashboardSet(q.service).to_data_source], width=190),
                _ALERT,
                _ACTIVE_SINCE,
                Column(
                    "Last completed",
                    label="last_sync",
                    mappings=styles.text_mappings(styles.STATUS_COLOURS),
                    filled=True,
                    width=130,
                ),
                Column(
                    "Consecutive failures",
                    query="streak",
                    decimals=0,
                    thresholds=styles.thresholds("text", (1, "orange"), (3, styles.BAD)).build(),
                    width=160,
                ),
                Column("Reason", label="reason", width=115),
                Column("Content age", query="age", unit="s", decimals=1, width=100),
                Column(
                    "Age vs. objective",
                    query="share",
                    unit="percentunit",
                    decimals=0,
                    thresholds=styles.thresholds(styles.GOOD, (0.8, "orange"), (1, styles.BAD)).build(),
                    width=140,
                ),
                Column("Status page", label="data_source_id", links=[TO_STATUS_PAGE], width=95),
            ],
            sort="Value #rank",
            descending=True,
            hidden=["Value #rank", "Value #last", "Value #reason"],
            required="rank",
            empty="no alert",
        ),
    )


def data_source_alerts(q: ServiceQueries) -> Panel:
    """Return the table of all alerts of the selected data source."""
    selected, labels = _of_data_sources(q), "alertname, severity"
    return table_panel(
        "Alerts",
        "All firing and pending alerts of this data source, from deploy/prometheus/rules. Empty: no alert is active.",
        TableContent(
            {
                "rank": f"max by ({labels}, alertstate) ({_ranked(selected)})",
                "since": f"1000 * min by ({labels}) ({_SINCE}{{{selected}}})",
            },
            [_SEVERITY, _STATE, _ALERT, _ACTIVE_SINCE],
            sort="Value #rank",
            descending=True,
            hidden=["Value #rank"],
            required="rank",
            empty="no alert",
        ),
        height=8,
        width=8,
    )


def other_alerts(q: ServiceQueries) -> Panel:
    """Return the table of alerts that do not belong to a data source."""
    root, container = q.service.root.word, q.service.container
    names = f"{q.service.alert_prefix}.+|{'|'.join(_EXPORTER_ALERTS)}"
    selected = f'alertname=~"{names}", data_source_id="", {root}=~"${root}|"'
    labels = "alertname, severity, subject"
    return table_panel(
        f"Other alerts: {container.plural}, targets, exporter",
        "Firing and pending alerts that do not belong to one data source, from deploy/prometheus/rules. Empty: no "
        "alert is active.",
        TableContent(
            {
                "rank": f"max by ({labels}, alertstate) ({_with_subject(container.word, _ranked(selected))})",
                "since": f"1000 * min by ({labels}) ({_with_subject(container.word, f'{_SINCE}{{{selected}}}')})",
            },
            [_SEVERITY, _STATE, Column("Subject", label="subject"), _ALERT, _ACTIVE_SINCE],
            sort="Value #rank",
            descending=True,
            hidden=["Value #rank"],
            required="rank",
            empty="no alert",
        ),
        height=5,
    )


def _ranked(selected: str) -> str:
    """Return a number by which to sort alerts: firing before pending ones, then by severity.

    Alerts with another severity, which an operator may set for routing, have the rank 0 and come last.
    """
    states = [(state, severity) for state in ("firing", "pending") for severity in _SEVERITIES]
    ranks = range(len(states), 0, -1)
    ranked = [
        f'{rank} * ALERTS{{{selected}, alertstate="{state}", severity="{severity}"}}'
        for rank, (state, severity) in zip(ranks, states, strict=True)
    ]
    return " or ".join([*ranked, f"0 * ALERTS{{{selected}}}"])


def _of_data_sources(q: ServiceQueries) -> str:
    """Return the matchers of the alerts of the selected data sources."""
    return f'{q.selected}, alertname=~"{q.service.alert_prefix}.+", data_source_id!=""'


def _with_subject(container: str, alerts: str) -> str:
    """Add a label `subject` with the container, target or instance of the alert."""
    for label in ("instance", "target", container):
        alerts = f'label_replace({alerts}, "subject", "$1", "{label}", "(.+)")'
    return alerts
