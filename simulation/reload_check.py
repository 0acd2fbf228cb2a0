"""The invariants of a reload: kept series are exposed without a gap, and dropped ones disappear immediately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulation.page import parse_series
from simulation.selection import Selection

if TYPE_CHECKING:
    from simulation.page import ParsedPage
    from simulation.state import WeekState

INFO = "data_source_info"


def check_reload(state: WeekState, replaced: dict[str, Any], before: ParsedPage, after: ParsedPage) -> None:
    """Compare the pages before and after a reload, with no request in between; `replaced` are the old settings."""
    selection = Selection(state.settings)
    known = {account.name for account in state.accounts if selection.has_known_accounts(account, replaced)}
    selected = {
        source_id
        for source_id in before.by_source.keys() | after.by_source.keys()
        if _selects(state, selection, source_id)
    }
    ghosts = after.by_source.keys() - selected
    assert not ghosts, f"data sources {sorted(ghosts)} are exposed after a reload has dropped them"
    located = {
        source_id
        for source_id, families in before.by_source.items()
        if _has_account(families.get(INFO, {})) and state.sources[source_id][0].name in known
    }
    missing = (located & selected) - after.by_source.keys()
    assert not missing, f"data sources {sorted(missing)} left the page at a reload that keeps them"
    undescribed = {source_id for source_id in located & selected if INFO not in after.by_source[source_id]}
    assert not undescribed, f"data sources {sorted(undescribed)} lost their description at a reload"
    _check_indexes(state, selection, after)
    targets = {parse_series(text).labels.get("target") for text in after.samples} - {None}
    assert targets == selection.targets(), f"targets {targets} are exposed, and {selection.targets()} are configured"


def _selects(state: WeekState, selection: Selection, source_id: str) -> bool:
    account, source = state.sources[source_id]
    return selection.has_source(account, state.root_of[source_id], source_id, source.name)


def _has_account(samples: dict[tuple[tuple[str, str], ...], float]) -> bool:
    return any(dict(labels).get("aws_account_id") for labels in samples)


def _check_indexes(state: WeekState, selection: Selection, after: ParsedPage) -> None:
    known = {
        index.id: (account, state.traits.root_name(application, index))
        for account in state.accounts
        for application in account.fleet.applications
        for index in application.indexes
    }
    for index_id in after.by_index:
        account, root = known[index_id]
        is_selected = selection.may_have_index(account, root, index_id)
        assert is_selected, f"index {index_id} is exposed after a reload has dropped it"
