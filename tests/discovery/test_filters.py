"""Filters match or not, or depend on properties that are not known yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import parse_target
from exporter.discovery.filters import Candidate, SourceFilters


def candidate(application: str, index: str | None = None, *known: Any) -> Candidate:
    """Build a candidate from its known properties."""
    names = {"application": application} | ({} if index is None else {"index": index})
    return Candidate(names, *known)


HR = candidate("intranet", "main", "hr-sharepoint", "SHAREPOINTV2", {"team": "hr"})


def make_filters(**discovery: object) -> SourceFilters:
    """Build filters from keys of the configuration."""
    settings = parse_target({"discovery": discovery}).discovery
    assert settings is not None
    return SourceFilters(settings)


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ([], [], True),
        ([{"application": "intranet"}], [], True),
        ([{"application": "intra*", "type": "SHAREPOINT*"}], [], True),
        ([{"application": "intra*", "type": "S3"}], [], False),
        ([{"type": "S3"}, {"data_source": "hr-*"}], [], True),
        ([{"application": "Intranet"}], [], False),
        ([{"index": "m?in"}], [], True),
        ([{"data_source": "[a-h]*"}], [], True),
        ([], [{"data_source": "*-test"}], True),
        ([], [{"data_source": "hr-*"}], False),
        ([{"application": "intranet"}], [{"type": "SHAREPOINT*"}], False),
        ([{"tags": {"team": "hr"}}], [], True),
        ([{"tags": {"team": "h*", "stage": "*"}}], [], False),
        ([{"tags": {"team": "legal"}}], [], False),
        ([], [{"tags": {"team": "*"}}], False),
        ([], [{"tags": {"stage": "*"}}], True),
    ],
)
def test_a_source_matches_if_it_is_included_and_not_excluded(
    include: list[object], exclude: list[object], *, expected: bool
) -> None:
    """Globs match whole names and are case-sensitive, and all globs of a filter must match."""
    assert make_filters(include=include, exclude=exclude).match(HR) is expected


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (candidate("intranet"), None),
        (candidate("support"), False),
        (candidate("intranet", "test"), False),
        (candidate("intranet", "main", "hr", "S3"), None),
        (candidate("intranet", "main", "hr", "S3", {"team": "hr"}), True),
        (candidate("intranet", "main", "hr", "S3", {}), False),
    ],
)
def test_a_result_may_depend_on_unknown_properties(known: Candidate, expected: bool | None) -> None:  # noqa: FBT001 (a table)
    """Then the result is None, and False as soon as one known property does not match."""
    filters = make_filters(include=[{"application": "intranet", "tags": {"team": "hr"}}], exclude=[{"index": "test"}])
    assert filters.match(known) is expected


words = st.sampled_from(["a", "b", "ab"])
globs = st.sampled_from(["a", "b", "a*", "*", "?"])
tags = st.dictionaries(st.sampled_from(["k", "l"]), words, max_size=2)
matchers = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("application", "index", "data_source", "type"), globs),
        "tags": st.dictionaries(st.sampled_from(["k", "l"]), globs, max_size=2),
    },
)
candidates = st.builds(candidate, words, words, words, words, tags)


@given(st.lists(matchers, max_size=3), st.lists(matchers, max_size=3), candidates)
def test_more_properties_do_not_change_a_certain_result(
    include: list[object], exclude: list[object], complete: Candidate
) -> None:
    """A result for some of the properties is None, or equals the result for all of them."""
    filters = make_filters(include=include, exclude=exclude)
    final, matching = filters.match(complete), filters.matching(complete, include_unknown=False)
    assert final is not None
    for known in (
        replace(complete, tags=None),
        Candidate(complete.names),
        candidate(complete.names["application"]),
    ):
        assert filters.match(known) in {None, final}
        assert filters.matching(known, include_unknown=False) <= matching
        assert filters.matching(known, include_unknown=True) >= matching


def test_the_name_of_a_filter_is_its_notation_in_the_configuration() -> None:
    """The log names a filter that matches nothing in this way."""
    filters = make_filters(include=[{"application": "x*", "tags": {"team": "hr"}}], exclude=[{"type": "S3"}])
    assert filters.names == ("include[0] application: x*, tags.team: hr", "exclude[0] type: S3")
