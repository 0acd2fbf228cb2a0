"""What is broken now, as the alerts have it: their rules are the only place that says what is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.grafana.generator import looks
from deploy.grafana.generator.links import TO_DATA_SOURCE, TO_RUNBOOK, TO_STATUS_PAGE
from deploy.grafana.generator.queries import (
    CHOSEN,
    SOURCE,
    age,
    known,
    latest,
    of_source,
    reason,
    risen,
    status_of,
)
from deploy.grafana.generator.tables import Column, Rows, listing

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.table import Panel

_MINE = 'alertname=~"QBusiness.+"'
_SEVERITIES = ("critical", "warning", "info")
_OWN = "alertname, severity, alertstate"
_SINCE = "ALERTS_FOR_STATE"

_SEVERITY = Column("Severity", label="severity", mappings=looks.words(looks.SEVERITY_COLOURS), width=90)
_STATE = Column("State", label="alertstate", mappings=looks.words(looks.ALERT_STATE_COLOURS), width=80)
_PROBLEM = Column("Problem", label="alertname", mappings=looks.without_prefix("QBusiness"), links=[TO_RUNBOOK])
_FOR = Column("Since", query="since", unit="dateTimeFromNow", width=130)


def of_data_sources() -> Panel:
    """List the data sources with an alert, the worst first."""
    age_of_content = age(known("qbusiness_last_indexed_sync_timestamp_seconds"))
    max_age = latest("qbusiness_data_source_objective_max_success_age_seconds")
    failures = risen("qbusiness_sync_job_failures_total", by="error_code, connector_error_code", over="$__range")
    named = of_source(f"{reason(failures)} > 0", f"{SOURCE}, reason")
    chosen = f'{CHOSEN}, {_MINE}, data_source_id!=""'
    return listing(
        "Data sources with a problem",
        "One row for each data source with an alert that fires or is about to: the worst of its alerts, and since "
        "when the first of them has held. The alerts are deploy/prometheus/rules: an empty table means that none "
        'holds, if "Data sources" above shows a number. Reason is what most of its failed syncs in the time range '
        "gave; the whole error text is on the status page. Empty cells: AWS did not say, or there is none.",
        Rows(
            {
                "rank": f"topk by (data_source_id) (1, max by ({SOURCE}, {_OWN}) ({_ranked(chosen)}))",
                "since": f"1000 * min by ({SOURCE}) ({_SINCE}{{{chosen}}})",
                "last": status_of("qbusiness_last_completed_sync_status", "last_sync"),
                "streak": latest("qbusiness_consecutive_failed_syncs"),
                "age": age_of_content,
                "share": f"{age_of_content} / {max_age}",
                "reason": f"topk by (data_source_id) (1, {named})",
            },
            [
                _SEVERITY,
                _STATE,
                Column("Application", label="application", width=95),
                Column("Data source", label="data_source", links=[TO_DATA_SOURCE], width=190),
                _PROBLEM,
                _FOR,
                Column(
                    "Last ended sync",
                    label="last_sync",
                    mappings=looks.words(looks.STATUS_COLOURS),
                    filled=True,
                    width=130,
                ),
                Column(
                    "Failed in a row",
                    query="streak",
                    decimals=0,
                    thresholds=looks.steps("text", (1, "orange"), (3, looks.BAD)).build(),
                    width=110,
                ),
                Column("Reason", label="reason", width=130),
                Column("Content age", query="age", unit="s", decimals=1, width=100),
                Column(
                    "… of objective",
                    query="share",
                    unit="percentunit",
                    decimals=0,
                    thresholds=looks.steps(looks.GOOD, (0.8, "orange"), (1, looks.BAD)).build(),
                    width=110,
                ),
                Column("Status page", label="data_source_id", links=[TO_STATUS_PAGE], width=110),
            ],
            sort="Value #rank",
            descending=True,
            hidden=["Value #rank", "Value #last", "Value #reason"],
            needs="rank",
            empty="no alert",
        ),
    )


def of_one_data_source() -> Panel:
    """List every alert of the data source that is chosen."""
    chosen, labels = f'{CHOSEN}, {_MINE}, data_source_id!=""', "alertname, severity"
    return listing(
        "Alerts",
        "Every alert of this data source that fires or is about to, from deploy/prometheus/rules. Empty: none holds.",
        Rows(
            {
                "rank": f"max by ({labels}, alertstate) ({_ranked(chosen)})",
                "since": f"1000 * min by ({labels}) ({_SINCE}{{{chosen}}})",
            },
            [_SEVERITY, _STATE, _PROBLEM, _FOR],
            sort="Value #rank",
            descending=True,
            hidden=["Value #rank"],
            needs="rank",
            empty="no alert",
        ),
        height=8,
        width=8,
    )


def of_all_else() -> Panel:
    """List the alerts about what is not a data source."""
    chosen = f'{_MINE}, data_source_id="", application=~"$application|"'
    labels = "alertname, severity, subject"
    return listing(
        "Other problems: indexes, targets, the exporter",
        "Alerts that fire or are about to and are not about one data source, from deploy/prometheus/rules. Empty: "
        "none holds.",
        Rows(
            {
                "rank": f"max by ({labels}, alertstate) ({_subject(_ranked(chosen))})",
                "since": f"1000 * min by ({labels}) ({_subject(f'{_SINCE}{{{chosen}}}')})",
            },
            [_SEVERITY, _STATE, Column("Subject", label="subject"), _PROBLEM, _FOR],
            sort="Value #rank",
            descending=True,
            hidden=["Value #rank"],
            needs="rank",
            empty="no alert",
        ),
        height=5,
    )


def _ranked(chosen: str) -> str:
    """Give each alert a number to sort by: those that fire before those about to, then by severity.

    Severities that are not ours, but of somebody's own routing, come last; they are not left out.
    """
    states = [(state, severity) for state in ("firing", "pending") for severity in _SEVERITIES]
    ranks = range(len(states), 0, -1)
    ours = [
        f'{rank} * ALERTS{{{chosen}, alertstate="{state}", severity="{severity}"}}'
        for rank, (state, severity) in zip(ranks, states, strict=True)
    ]
    return " or ".join([*ours, f"0 * ALERTS{{{chosen}}}"])


def _subject(alerts: str) -> str:
    for label in ("instance", "target", "index"):
        alerts = f'label_replace({alerts}, "subject", "$1", "{label}", "(.+)")'
    return alerts
