"""Random configurations of two simulated services, and the data sources that each configuration selects."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint

if TYPE_CHECKING:
    import random
    from pathlib import Path

REGIONS = ("us-east-1", "eu-west-1")
GLOBS = ("*", "a*", "b*", "*-0", "*-1")
POLLING: tuple[dict[str, Any], ...] = (
    {},
    {"window": "25h"},
    {"concurrency": 2},
    {"requests_per_second": 300},
    {"interval": "100ms"},
)
BUCKETS = (["1s", "1m", "1h"], ["30s", "1h"])
OBJECTIVES: tuple[list[dict[str, Any]], ...] = (
    [],
    [{"match": {"data_source": "a*"}, "max_success_age": "1d"}],
    [{"match": {"labels": {"team": "hr"}}, "min_documents_scanned": 9}],
)
FAULTS = ("denied", "throttled", "server_error", "not_object", "reset")
FAULTY_OPERATIONS = (
    None,
    "ListApplications",
    "GetApplication",
    "GetDataSource",
    "GetCallerIdentity",
    "ListDataSources",
    "ListTagsForResource",
)


@dataclass(frozen=True)
class SimulatedRegion:
    """A service in a region, with two applications of two data sources each, each in its own index."""

    service: SimulatedEndpoint
    region: str

    def target(self, **settings: Any) -> dict[str, Any]:
        """Return a target of the service."""
        return {"region": self.region, "endpoint_url": self.service.url, **settings}

    def sources(self) -> list[SimulatedDataSource]:
        """Return the data sources."""
        return [source for _, _, source in self.service.fleet.data_sources()]


def make_place(region: str) -> SimulatedRegion:
    """Return a place whose service is not started yet."""
    applications = [
        SimulatedApplication(f"{letter}-{region}", [_index(f"{letter}-{number}", region) for number in range(2)])
        for letter in "ab"
    ]
    return SimulatedRegion(SimulatedEndpoint(Fleet(applications, region=region)), region)


def _index(name: str, region: str) -> SimulatedIndex:
    jobs = [PlannedJob(make_id(name, region, number), time.time() - 900 * number, 60, 30) for number in (1, 2)]
    source = SimulatedDataSource(name, id=make_id("id", name, region), jobs=jobs, tags={"team": name[0]})
    return SimulatedIndex(f"index-{name}-{region}", [source])


def start_sync(source: SimulatedDataSource, number: int) -> None:
    """Add a job to a data source that starts now and succeeds after a second, with ten documents."""
    job = PlannedJob(make_id("new", source.id, number), time.time(), 0.5, 0.5, documents={"added": 10, "scanned": 10})
    source.jobs = [*source.jobs, job]


@dataclass
class RandomConfiguration:
    """A configuration, the aliases of named data sources by id, and the ids of the selected ones.

    `indexes` are the indexes that it names or may discover.
    """

    config: dict[str, Any]
    named: dict[str, str | None] = field(default_factory=dict)
    selected: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)

    @property
    def targets(self) -> set[str]:
        """The names of the targets."""
        return {target["name"] for target in self.config["targets"]}


class RandomConfigurations:
    """Draws configurations of up to three targets that share the names `x`, `y` and `z`."""

    def __init__(self, rng: random.Random, places: list[SimulatedRegion], state: Path) -> None:
        self._rng = rng
        self._places = places
        self._state = state

    def everything(self) -> RandomConfiguration:
        """Return a configuration that discovers all data sources."""
        drawn = RandomConfiguration(self._config())
        for name, place in zip("xy", self._places, strict=True):
            drawn.config["targets"].append(place.target(name=name, discovery=self._discovery(drawn, place, "*")))
        return drawn

    def draw(self) -> RandomConfiguration:
        """Return a random configuration."""
        drawn = RandomConfiguration(self._config())
        for name in self._rng.sample("xyz", self._rng.randint(1, 3)):
            place, named = self._rng.choice(self._places), list[dict[str, Any]]()
            target = place.target(name=name, data_sources=named)
            named += self._named(drawn, place)
            if not named or self._rng.random() < 0.5:
                target["discovery"] = self._discovery(drawn, place, self._rng.choice(GLOBS))
            drawn.config["targets"].append(target)
        return drawn

    def _config(self) -> dict[str, Any]:
        fast = {"interval": "250ms", "idle_interval": "250ms", "requests_per_second": 500, "timeout": "2s"}
        return {
            "targets": [],
            "polling": {**fast, **self._rng.choice(POLLING)},
            "metrics": {"duration_buckets": self._rng.choice(BUCKETS)},
            "objectives": self._rng.choice(OBJECTIVES),
            "state": {"path": str(self._state)},
        }

    def _discovery(self, drawn: RandomConfiguration, place: SimulatedRegion, glob: str) -> dict[str, Any]:
        key = self._rng.choice(("include", "exclude"))
        drawn.indexes |= {index.id for _, index, _ in place.service.fleet.data_sources()}
        drawn.selected |= {source.id for source in place.sources() if fnmatchcase(source.name, glob)}
        filters = [{"data_source": each} for each in ([glob] if key == "include" else _complement(glob))]
        return {"interval": "500ms", key: filters, "tag_labels": self._rng.choice(([], ["team"]))}

    def _named(self, drawn: RandomConfiguration, place: SimulatedRegion) -> list[dict[str, Any]]:
        named = []
        for application, index, source in place.service.fleet.data_sources():
            if source.id not in drawn.named and self._rng.random() < 0.3:
                alias = self._rng.choice([None, f"alias-{source.name}"])
                drawn.named[source.id] = alias
                drawn.indexes.add(index.id)
                ids = {"application_id": application.id, "index_id": index.id, "data_source_id": source.id}
                labels = self._rng.choice(({}, {"team": "hr"}, {"team": "legal", "tier": "1"}))
                named.append({**ids, "labels": labels} | ({"name": alias} if alias else {}))
        drawn.selected |= drawn.named.keys()
        return named


def _complement(glob: str) -> list[str]:
    """Return the globs that match exactly the data sources that the glob does not match."""
    return {"*": [], "a*": ["b*"], "b*": ["a*"], "*-0": ["*-1"], "*-1": ["*-0"]}[glob]
