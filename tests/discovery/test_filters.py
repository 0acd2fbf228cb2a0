"""Which data sources are wanted: three answers, and none that a later one contradicts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import DiscoveryConfig
from exporter.discovery.filters import Candidate, SourceFilters

HR = Candidate("intranet", "main", "hr-sharepoint", "SHAREPOINTV2", {"team": "hr"})


def rules(**discovery: object) -> SourceFilters:
    """Make rules as a configuration has them."""
    return SourceFilters(DiscoveryConfig.model_validate(discovery))


@pytest.mark.parametrize(
    ("include", "exclude", "wanted"),
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
def test_what_is_included_and_not_excluded_is_wanted(
    include: list[object], exclude: list[object], *, wanted: bool
) -> None:
    """Globs are held against whole names, as they are spelled; all that a filter gives must match."""
    assert rules(include=include, exclude=exclude).match(HR) is wanted


@pytest.mark.parametrize(
    ("known", "answer"),
    [
        (Candidate("intranet"), None),
        (Candidate("support"), False),
        (Candidate("intranet", "test"), False),
        (Candidate("intranet", "main", "hr", "S3"), None),
        (Candidate("intranet", "main", "hr", "S3", {"team": "hr"}), True),
        (Candidate("intranet", "main", "hr", "S3", {}), False),
    ],
)
def test_what_is_not_known_yet_may_matter(known: Candidate, answer: bool | None) -> None:  # noqa: FBT001 (a table)
    """So an application that cannot match is not even looked into, and tags are asked for only where they decide."""
    some = rules(include=[{"application": "intranet", "tags": {"team": "hr"}}], exclude=[{"index": "test"}])
    assert some.match(known) is answer


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
candidates = st.builds(Candidate, words, words, words, words, tags)


@given(st.lists(matchers, max_size=3), st.lists(matchers, max_size=3), candidates)
def test_an_early_answer_holds(include: list[object], exclude: list[object], whole: Candidate) -> None:
    """Whatever is said before all is known is what will be said then."""
    some = rules(include=include, exclude=exclude)
    final = some.match(whole)
    assert final is not None
    for known in (
        replace(whole, tags=None),
        Candidate(whole.application, whole.index),
        Candidate(whole.application),
    ):
        assert some.match(known) in {None, final}
        assert some.matching(known, surely=True) <= some.matching(whole, surely=True)
        assert some.matching(known, surely=False) >= some.matching(whole, surely=True)


def test_a_filter_is_named_as_it_was_written() -> None:
    """For the warning that it matches nothing."""
    some = rules(include=[{"application": "x*", "tags": {"team": "hr"}}], exclude=[{"type": "S3"}])
    assert some.names == ("include[0] application: x*, tags.team: hr", "exclude[0] type: S3")


def test_only_tags_that_somebody_looks_at_are_kept() -> None:
    """A tag may hold what nobody meant for a state file; one that filters is not shown."""
    some = rules(include=[{"tags": {"stage": "*"}}], tag_labels=["team"])
    kept = some.relevant({"team": "hr", "stage": "prod", "secret": "x"})
    assert kept == (("stage", "prod"), ("team", "hr"))
    assert some.label_tags(kept) == (("team", "hr"),)
