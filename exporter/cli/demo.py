"""`demo`: serve against a simulated Amazon Q Business that it starts itself."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.cli.config_files import Configuration, read_access
from exporter.cli.serve import serve
from exporter.config import Config, PollingConfig, StateConfig, TargetConfig
from exporter.simulator.clock import ScaledClock
from exporter.simulator.demo import demo_fleet
from exporter.simulator.server import SimulatedQBusiness
from exporter.store import MEMORY

if TYPE_CHECKING:
    from argparse import Namespace

    from exporter.web.server.server import WebServer

# Nothing of the person's own AWS set-up may reach the simulation, or be asked for on its account.
_OWN = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
_SIMULATED = {
    **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "simulated"),
    "AWS_EC2_METADATA_DISABLED": "true",
}

WELCOME = """
qbusiness-exporter demo: {sources} data sources of a simulated Amazon Q Business, polled every few seconds

  {url}/          the status page: what is wrong first
  {url}{path}   the metrics

Look at
  qbusiness_sync_running                      syncs come and go
  qbusiness_last_completed_sync_status        policies-s3 is INCOMPLETE every time
  qbusiness_consecutive_failed_syncs          engineering-confluence has an expired token
  qbusiness_sync_job_failures_total           and says CNF-5572
  qbusiness_running_sync_start_timestamp_seconds   archive-s3 is stuck since yesterday
  qbusiness_last_completed_sync_documents_scanned  faq-s3 succeeds with nothing
  qbusiness_index_documents / qbusiness_index_documents_limit   the knowledge index is nearly full

Stop it with Ctrl-C.
"""


def run(arguments: Namespace) -> int:
    """Serve the demo's fleet until told to stop."""
    for name in _OWN:
        os.environ.pop(name, None)
    os.environ |= _SIMULATED
    web_config = read_access(arguments)
    with SimulatedQBusiness(demo_fleet(time.time()), ScaledClock()) as service:
        os.environ["AWS_ENDPOINT_URL_STS"] = service.url
        warnings = web_config.warnings if web_config else ()
        loaded = Configuration(demo_config(service), warnings, "the demo's own", web_config)
        sources = sum(1 for _ in service.fleet.data_sources())

        def welcome(web: WebServer) -> None:
            _, port = web.addresses[0]
            url = f"{web.scheme}://localhost:{port}"
            print(WELCOME.format(sources=sources, url=url, path=arguments.telemetry_path), flush=True)  # noqa: T201 (for the person)

        # It has no file of its own that could have changed; a web config has.
        return serve(loaded, arguments, lambda: replace(loaded, web_config=read_access(arguments)), welcome)


def demo_config(service: SimulatedQBusiness) -> Config:
    """Look for whatever the simulated service has; state is kept in memory."""
    region, discovery = service.fleet.region, {"interval": "30s"}
    target = {"name": "demo", "region": region, "endpoint_url": service.url, "discovery": discovery}
    return Config(
        targets=(TargetConfig.model_validate(target),),
        polling=PollingConfig.model_validate({"interval": "2s", "idle_interval": "5s", "requests_per_second": 50}),
        state=StateConfig(path=MEMORY),
    )
