"""Series that a reload keeps never disappear, even if AWS is away; series that it drops are removed immediately."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Scrape, config_for, eventually
from tests.support.request_log import logged_requests
from tests.support.running_exporter import RunningExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Series = tuple[str, frozenset[tuple[str, str]]]


def index(name: str, *sources: str) -> SimulatedIndex:
    """Return an index with data sources, each with one ended job."""
    jobs = {each: [PlannedJob(make_id(each), time.time() - 900, 60, 30)] for each in sources}
    return SimulatedIndex(name, [SimulatedDataSource(each, jobs=jobs[each]) for each in sources])


@pytest.fixture
def service() -> Iterator[SimulatedEndpoint]:
    """Yield a service with two applications, with an index and two data sources each."""
    applications = [
        SimulatedApplication("intranet", [index("main", "hr", "it")]),
        SimulatedApplication("support", [index("faq", "wiki", "zendesk")]),
    ]
    with SimulatedEndpoint(Fleet(applications)) as service:
        yield service


def config_of(service: SimulatedEndpoint, *targets: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration with targets of the service; the default is to discover everything."""
    url = {"region": "us-east-1", "endpoint_url": service.url}
    return {**config_for(service, ":memory:"), "targets": [{**url, **target} for target in targets]}


def discovers(name: str, **globs: str) -> dict[str, Any]:
    """Return a target that discovers the data sources that globs match."""
    return {"name": name, "discovery": {"interval": "1h", "include": [globs] if globs else []}}


def series_of(scrape: Scrape) -> set[Series]:
    """Return the series of data sources and indexes, without the exporter's own."""
    names = {series for series in scrape.samples if series[0].startswith("qbusiness_")}
    return {series for series in names if not series[0].startswith("qbusiness_exporter_")}


def until_discovered(program: RunningExporter, targets: int = 1) -> set[Series]:
    """Wait until all data sources are described and polled, and return their series."""

    def is_complete() -> bool:
        scrape = program.scrape()
        return (
            scrape.value("qbusiness_exporter_discovery_success") == targets
            and scrape.value("qbusiness_poll_success") == scrape.value("qbusiness_data_source_info") == 4
            and not scrape.value("qbusiness_data_source_info", aws_account_id="")
        )

    eventually(is_complete)
    return series_of(program.scrape())


def test_an_index_without_a_data_source_is_removed_at_once(service: SimulatedEndpoint) -> None:
    """The configuration names fewer data sources, and the index of the others disappears with them."""
    config = config_for(service, ":memory:")
    (target,) = config["targets"]
    with RunningExporter(config) as program:
        until_discovered(program)
        program.reload({**config, "targets": [{**target, "data_sources": target["data_sources"][:2]}]})
        left = {labels for _, labels in series_of(program.scrape())}
        assert {dict(labels)["application"] for labels in left} == {"intranet"}
        assert program.scrape().value("qbusiness_index_info", index="main") == 1


def test_names_that_replace_discovery_remove_the_other_indexes(service: SimulatedEndpoint) -> None:
    """Only the index of the named data source stays."""
    named = config_for(service, ":memory:")["targets"][0]["data_sources"][2:3]
    with RunningExporter(config_of(service, discovers("all"))) as program:
        until_discovered(program)
        program.reload(config_of(service, {"name": "all", "data_sources": named}))
        scrape = program.scrape()
        assert scrape.value("qbusiness_index_info") == scrape.value("qbusiness_index_info", index="faq") == 1
        assert scrape.value("qbusiness_data_source_info") == 1


RELOADS: dict[str, Callable[[], tuple[list[dict[str, Any]], list[dict[str, Any]]]]] = {
    "renamed": lambda: ([discovers("old")], [discovers("new")]),
    "merged": lambda: ([discovers("a", application="i*"), discovers("b", application="s*")], [discovers("c")]),
    "split": lambda: ([discovers("c")], [discovers("a", application="i*"), discovers("b", application="s*")]),
    "absorbed": lambda: ([discovers("a", application="i*"), discovers("b")], [discovers("b")]),
    "moved": lambda: (
        [discovers("a", application="i*"), discovers("b", application="s*")],
        [discovers("a", application="s*"), discovers("b", application="i*")],
    ),
}


@pytest.mark.parametrize("kind", RELOADS)
def test_series_stay_when_targets_change_while_aws_is_away(service: SimulatedEndpoint, kind: str) -> None:
    """Data sources and indexes belong to an account and a region, and not to the name of a target."""
    before, after = RELOADS[kind]()
    with RunningExporter(config_of(service, *before)) as program:
        series = until_discovered(program, len(before))
        service.faults.add("denied")
        program.reload(config_of(service, *after))
        scrape = program.scrape()
        assert series_of(scrape) == series
        targets = {
            dict(labels)["target"] for name, labels in scrape.samples if name == "qbusiness_exporter_target_info"
        }
        assert targets == {target["name"] for target in after}


def test_a_renamed_data_source_stays_with_a_filter_on_its_new_name(service: SimulatedEndpoint) -> None:
    """Its display name stays the old one, but the filters match the name that AWS lists."""
    (_, _, hr), *others = service.fleet.data_sources()
    with RunningExporter(config_of(service, discovers("all"))) as program:
        series = until_discovered(program)
        for renamed in (hr, *(source for _, _, source in others)):
            renamed.name = f"new-{renamed.name}"
        program.reload(config_of(service, {"name": "all", "discovery": {"interval": "15m"}}))
        requests = len(logged_requests(service, "ListDataSources"))
        eventually(lambda: len(logged_requests(service, "ListDataSources")) >= requests + 2)
        eventually(lambda: program.scrape().value("qbusiness_exporter_discovery_success") == 1)
        service.faults.add("denied")
        program.reload(config_of(service, discovers("all", data_source="new-*")))
        assert series_of(program.scrape()) == series


def test_a_removed_data_source_of_a_renamed_target_is_removed(service: SimulatedEndpoint) -> None:
    """The filters of the new target apply immediately, without a request to AWS."""
    with RunningExporter(config_of(service, discovers("old"))) as program:
        series = until_discovered(program)
        service.faults.add("denied")
        program.reload(config_of(service, discovers("new", application="support")))
        kept = {each for each in series if ("application", "support") in each[1]}
        assert series_of(program.scrape()) == kept


def test_the_account_stays_while_sts_does_not_respond(service: SimulatedEndpoint) -> None:
    """A reload adds a data source and a target with the same credentials. Both have the account immediately."""
    config = config_for(service, ":memory:")
    (target,) = config["targets"]
    first, second, third, fourth = target["data_sources"]
    with RunningExporter({**config, "targets": [{**target, "data_sources": [first]}]}) as program:
        eventually(lambda: program.scrape().value("qbusiness_data_source_info") == 1)
        service.faults.add("hang", operation="GetCallerIdentity")
        info = {series for series in series_of(program.scrape()) if series[0] == "qbusiness_data_source_info"}
        more = {**target, "name": "more", "data_sources": [third, fourth]}
        program.reload({**config, "targets": [{**target, "data_sources": [first, second]}, more]})
        scrape = program.scrape()
        assert info <= scrape.samples.keys()
        assert scrape.value("qbusiness_exporter_target_info", aws_account_id=service.fleet.account) == 2


def test_a_new_target_takes_over_the_data_sources_that_it_names(service: SimulatedEndpoint) -> None:
    """The target that has discovered them releases them, so each is polled by one target and keeps its series."""
    finder = discovers("finder")
    application, found_in, source = next(iter(service.fleet.data_sources()))
    ids = {"application_id": application.id, "index_id": found_in.id, "data_source_id": source.id}
    with RunningExporter(config_of(service, finder)) as program:
        before = until_discovered(program)
        program.reload(config_of(service, finder, {"name": "namer", "data_sources": [ids]}))
        scrape = program.scrape()
        assert scrape.value("qbusiness_exporter_data_sources", target="namer") == 1
        assert scrape.value("qbusiness_exporter_data_sources", target="finder") == 3
        assert series_of(scrape) == before


def test_a_target_takes_over_from_another_one_with_a_role_in_the_same_account(service: SimulatedEndpoint) -> None:
    """It has found the same data sources, and polls them once a reload removes the other target."""
    reader = {**discovers("reader"), "role_arn": f"arn:aws:iam::{service.fleet.account}:role/reader"}
    with RunningExporter(config_of(service, discovers("first"), reader)) as program:
        series = until_discovered(program, 2)
        service.faults.add("denied")
        program.reload(config_of(service, reader))
        assert series_of(program.scrape()) == series
