"""A discovery run that finds nothing new, and the bare calls of boto3 that list the same resources."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.poller.services import BotoClient, bare_client, served
from exporter import config
from exporter.app.exporter import Exporter
from exporter.providers.qbusiness.provider import MAX_CONTAINERS
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INDEXES, SOURCES_PER_INDEX = 4, 25
SOURCES = INDEXES * SOURCES_PER_INDEX


class DiscoveryRuns(NamedTuple):
    """A discovery run, and the bare calls for the same responses."""

    run: Callable[[], object]
    bare: Callable[[], object]


@contextmanager
def discovery_runs() -> Iterator[DiscoveryRuns]:
    """Yield the discovery of an exporter that has already found all data sources of an application."""
    indexes = [
        SimulatedIndex(f"index-{index}", [SimulatedDataSource(f"{index}-{n}") for n in range(SOURCES_PER_INDEX)])
        for index in range(INDEXES)
    ]
    with served(QBUSINESS.name, Fleet([SimulatedApplication("intranet", indexes)])) as url:
        os.environ["AWS_ENDPOINT_URL_STS"] = url
        exporter = Exporter(config.parse(_configuration(url), "config.yaml").config, ["127.0.0.1:0"])
        discovery = exporter.targets[0].discovery
        discovery()  # finds the data sources, and loads the models of the SDK
        if exporter.targets[0].workers.watched() != SOURCES:
            raise RuntimeError("the discovery run has not found all data sources")
        client = bare_client(QBUSINESS, url)
        try:
            yield DiscoveryRuns(discovery, lambda: _list_all(client))
        finally:
            exporter.stop()


def _configuration(url: str) -> str:
    polling = {"requests_per_second": 1000}
    target = {"region": "us-east-1", "endpoint_url": url}
    return json.dumps({"targets": [target], "polling": polling, "state": {"path": ":memory:"}})


def _list_all(client: BotoClient) -> None:
    """Send the requests of a discovery run: the listings with the same page sizes, and the figures of each index."""
    for application in _items(client, "list_applications", "applications", MAX_CONTAINERS):
        ids = {"applicationId": application["applicationId"]}
        for index in _items(client, "list_indices", "indices", MAX_CONTAINERS, **ids):
            ids["indexId"] = index["indexId"]
            client.get_index(**ids)
            _items(client, "list_data_sources", "dataSources", QBUSINESS.page_size, **ids)


def _items(client: BotoClient, operation: str, member: str, size: int, **ids: str) -> list[dict[str, str]]:
    pages = client.get_paginator(operation).paginate(**ids, PaginationConfig={"PageSize": size})
    return [item for page in pages for item in page[member]]
