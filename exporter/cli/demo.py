"""`demo`: serve metrics of simulated services, which the command starts itself."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.cli.config_files import Configuration, read_web_config
from exporter.cli.output import print_output
from exporter.cli.serve import serve
from exporter.config import Config, DocumentsConfig, PollingConfig, StateConfig, parse_target
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES
from exporter.simulator.apis import api_of, traits_of
from exporter.simulator.clock import ScaledClock
from exporter.simulator.server import SimulatedEndpoint
from exporter.store import MEMORY
from exporter.web.public_address import PublicAddress

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from exporter.simulator.fleet import Fleet
    from exporter.web.server.server import WebServer

# The demo must not use the user's AWS configuration: it would send real credentials to the simulation, or fail because
# of a profile that does not exist. Nor must it wait for the instance metadata service, and no proxy can reach
# the simulation.
_SIMULATED_VARIABLES = {
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "simulated"),
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "*"),
}

WELCOME = """
qbusiness-exporter demo: {sources} data sources of simulated services ({services}), polled every few seconds

  {url}/          the status page, problems first
  {url}{path}   the metrics

What to look at:
  qbusiness_sync_running                           1 while a data source is syncing
  qbusiness_last_completed_sync_status             every sync of policies-s3 is INCOMPLETE
  qbusiness_consecutive_failed_syncs               the token of engineering-confluence has expired
  qbusiness_sync_job_failures_total                its failures have the connector error code CNF-5572
  qbusiness_running_sync_start_timestamp_seconds   the sync of archive-s3 has been running since yesterday
  qbusiness_last_completed_sync_documents_scanned  syncs of faq-s3 succeed, but scan no documents
  qbusiness_data_source_documents                  ten documents of policies-s3 stay failed
  qbusiness_index_documents                        the index knowledge is close to qbusiness_index_documents_limit
  kendra_data_source_status                        salesforce is FAILED
  bedrock_documents_scanned_total                  grows with each sync of handbook-webcrawler

Press Ctrl-C to stop.
"""


def run(arguments: Namespace) -> int:
    """Serve the simulated fleets until a signal stops it."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name == "REQUESTS_CA_BUNDLE"]:
        del os.environ[name]
    os.environ |= _SIMULATED_VARIABLES
    web_config = read_web_config(arguments)
    address = PublicAddress.of(arguments.web_external_url, arguments.web_route_prefix, arguments.grafana_url)
    fleets = demo_fleets(time.time())
    with ExitStack() as stack:
        endpoints = {
            name: stack.enter_context(SimulatedEndpoint(fleet, ScaledClock(), api_of(name)))
            for name, fleet in fleets.items()
        }
        os.environ["AWS_ENDPOINT_URL_STS"] = endpoints[DEFAULT_SERVICE.name].url
        warnings = web_config.warnings if web_config else ()
        loaded = Configuration(_demo_config(endpoints), warnings, "built-in demo", web_config)
        sources = sum(1 for fleet in fleets.values() for _ in fleet.data_sources())
        services = ", ".join(SERVICES[name].title for name in fleets)

        def welcome(web: WebServer) -> None:
            _, port = web.addresses[0]
            url = f"{web.scheme}://localhost:{port}{address.route_prefix}"
            print_output(WELCOME.format(sources=sources, services=services, url=url, path=arguments.web_telemetry_path))

        # A reload reads the web config only, because the configuration of the demo is not a file.
        return serve(loaded, arguments, lambda: replace(loaded, warnings=()), welcome)


def demo_fleets(now: float) -> dict[str, Fleet]:
    """Return the fleet of each service by its name, with a history of sync jobs until now."""
    return {name: traits_of(name).demo_fleet(now) for name in SERVICES}


def _demo_config(endpoints: Mapping[str, SimulatedEndpoint]) -> Config:
    """Return a configuration that discovers all of the simulated services and keeps the state in memory."""
    targets = (
        {
            "name": f"demo-{name}",
            "service": name,
            "region": endpoint.fleet.region,
            "endpoint_url": endpoint.url,
            "discovery": {"interval": "30s"},
        }
        for name, endpoint in endpoints.items()
    )
    return Config(
        targets=tuple(map(parse_target, targets)),
        polling=PollingConfig.model_validate({"interval": "2s", "idle_interval": "5s", "requests_per_second": 50}),
        documents=DocumentsConfig.model_validate({"interval": "5m"}),
        state=StateConfig(path=MEMORY),
    )
