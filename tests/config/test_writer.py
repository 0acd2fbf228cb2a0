"""A written configuration: the parser reads back what was found, even if names have special characters."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from exporter import config
from exporter.config import FoundSource, FoundTarget, parse_target

IDS = st.tuples(*[st.uuids().map(str)] * 3)
SOURCES = st.builds(FoundSource, IDS, st.tuples(st.text(), st.text()), st.text(), st.text(), st.text())
NAMES = st.text(min_size=1).filter(lambda text: text.isprintable() and not text.isspace())


def source(name: str, *, application: str = "intranet", kind: str = "S3", status: str = "ACTIVE") -> FoundSource:
    """Return a data source with ids."""
    first, second, third = (str(UUID(int=number)) for number in (1, 2, 3))
    return FoundSource((first, second, third), (application, "main"), name, kind, status)


def test_layout_and_comments() -> None:
    """Each target and each data source is one list entry, with its type and status as comments."""
    target = FoundTarget(
        parse_target({"name": "a", "profile": "42"}), "us-east-1", [source("yes", status="")], ["not complete"]
    )
    empty = FoundTarget(parse_target({}), "us-west-2", [])
    assert config.write([target, empty], ["written by a test"]) == (
        "# written by a test\n"
        "targets:\n"
        "  - name: a\n"
        "    region: us-east-1\n"
        "    profile: '42'\n"
        "    # not complete\n"
        "    data_sources:\n"
        "      # application intranet, index main\n"
        "      - application_id: 00000000-0000-0000-0000-000000000001\n"
        "        index_id: 00000000-0000-0000-0000-000000000002\n"
        "        data_source_id: 00000000-0000-0000-0000-000000000003\n"
        "        application: intranet\n"
        "        name: 'yes'\n"
        "        # S3, status unknown\n"
        "  - region: us-west-2\n"
        "    # no data source found; without data_sources, discovery stays enabled\n"
    )


def test_a_data_source_with_ids_of_an_unknown_format_is_a_comment() -> None:
    """The file remains valid, and names the ids."""
    odd = FoundSource(("a", "b", "c"), ("intranet", "main"), "x", "S3", "ACTIVE")
    text = config.write([FoundTarget(parse_target({}), "us-east-1", [odd])], [])
    assert "      # left out, because its ids have an unknown format: a b c\n" in text


def test_settings_of_the_previous_configuration_are_kept() -> None:
    """Filters and labels cannot be found in AWS, and the names may be other ones on purpose."""
    first, second = source("aws-name"), str(UUID(int=4))
    named = dict(zip(("application_id", "index_id", "data_source_id"), first.ids, strict=True))
    settings = {"name": "hr", "labels": {"team": "hr"}}
    discovery = {"interval": "90s", "include": [{"type": "S3*", "tags": {"a": "b"}}], "tag_labels": ["a"]}
    queue = {"queue_url": "https://sqs.us-east-1.amazonaws.com/111122223333/sync-events"}
    sources = [{**named, **settings}, {**named, "data_source_id": second, "labels": {"team": "it"}}]
    before = parse_target({"region": "us-east-1", "data_sources": sources, "discovery": discovery, "events": queue})
    text = config.write([FoundTarget(before, "us-east-1", [first])], [])
    (after,) = config.parse(text, "f").config.targets
    assert (after.discovery, after.events) == (before.discovery, before.events)
    assert [(each.path[-1], each.name, dict(each.labels)) for each in after.data_sources] == [
        (first.ids[-1], "hr", {"team": "hr"}),
        (second, None, {"team": "it"}),
    ]
    assert "    # discovery stays enabled: remove it to watch only the data sources below\n" in text
    assert text.endswith("          team: it\n        # in the previous configuration, but not found\n")


def test_discovery_that_is_on_by_default_is_not_written() -> None:
    """The data sources that were found replace it."""
    text = config.write([FoundTarget(parse_target({}), "us-east-1", [source("a")])], [])
    (after,) = config.parse(text, "f").config.targets
    assert after.discovery is None


@given(
    st.lists(SOURCES, min_size=1, unique_by=lambda each: each.ids), st.lists(st.text(), max_size=3), st.none() | NAMES
)
def test_the_parser_reads_back_what_was_found(found: list[FoundSource], remarks: list[str], name: str | None) -> None:
    """Names that a configuration can have are kept; others are omitted."""
    text = config.write([FoundTarget(parse_target({"name": name}), "us-east-1", found, remarks)], remarks)
    loaded = config.parse(text, "f")
    (target,) = loaded.config.targets
    assert (target.name, target.region) == (name, "us-east-1")
    assert [each.path for each in target.data_sources] == [each.ids for each in found]
    for written, original in zip(target.data_sources, found, strict=True):
        assert written.name in {original.name, None}
        assert written.name == original.name or not (original.name.isprintable() and original.name.strip())
