"""Faults of the connection to AWS and of the credentials: each affects every operation at once."""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from exporter.domain.units import HOUR, MINUTE
from exporter.simulator.server import SimulatedEndpoint
from tests.support.faults.cases import CONNECTION_FAULTS, ConnectionFault
from tests.support.faults.environment import HOST, Environment
from tests.support.faults.page import changed_families
from tests.support.faults.runner import DISCOVERY_RECOVERY
from tests.support.faults.sdk import patch_sdk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BRIEFLY = 15 * MINUTE  # until the next poll


def tls_context(authority: trustme.CA) -> ssl.SSLContext:
    """Return a server's context with a certificate of an authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


@contextmanager
def injected(environment: Environment, fault: ConnectionFault, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Inject a fault for a while, and close the connections that are open."""
    service = environment.service
    trusted = service.tls
    if fault.kind == "refused":
        address = ("127.0.0.1", int(service.url.rpartition(":")[2]))
        service.stop()
        with socket.socket() as reserved:  # bound but not listening, so that no other process gets the port
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind(address)
            yield
        environment.service = SimulatedEndpoint(
            environment.fleet, service.clock, lambda _fleet: service.api, port=address[1]
        )
        environment.service.start()
        return
    with monkeypatch.context() as changed:
        if fault.kind == "unresolved":
            changed.setattr("socket.getaddrinfo", _fail_to_resolve)
        elif fault.kind == "untrusted":
            service.tls = tls_context(trustme.CA())
        elif fault.kind == "plain":
            service.tls = None
        else:
            service.sts.revoked.add(os.environ["AWS_ACCESS_KEY_ID"])
        service.drop_connections()
        yield
    service.tls = trusted
    if fault.kind == "rotated":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"rotated-{len(service.sts.revoked)}")
    service.drop_connections()


def _fail_to_resolve(*_: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("fault", CONNECTION_FAULTS, ids=lambda fault: fault.kind)
def test_a_connection_fault_is_reported_and_the_program_recovers(
    fault: ConnectionFault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All polls and discovery runs fail with the reason, nothing else changes, and the totals are correct."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with Environment() as environment:
        if fault.kind in {"untrusted", "plain"}:
            environment.service.tls = tls_context(authority)
        patch_sdk(monkeypatch, environment)
        if environment.service.tls:
            sts_url = environment.service.url.replace("http://127.0.0.1", f"https://{HOST}")
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts_url)
        environment.start()
        environment.run_until_healthy(DISCOVERY_RECOVERY)
        environment.start_jobs()
        for seconds in (BRIEFLY, HOUR):
            environment.run(5 * MINUTE)
            before = environment.pages[-1]
            with injected(environment, fault, monkeypatch):
                environment.run(seconds)
                page = environment.pages[-1]
                changed = changed_families(before.series, page.series)
                assert page.total("exporter_poll_failures_total", f'reason="{fault.reason}"') > 0
                assert page.total("exporter_api_requests_total", f'code="{fault.code}"') > 0
                assert page.total("poll_success") == 0
                assert page.total("exporter_target_up") == 0
                of_sources = {family for family in changed if not family.startswith("exporter_")}
                assert of_sources <= {"poll_success"}
                if seconds == HOUR:
                    assert page.total("exporter_discovery_success") == 0
            environment.run_until_healthy(DISCOVERY_RECOVERY)
        environment.end_jobs()
        environment.run(DISCOVERY_RECOVERY)
        wrong = environment.wrong_totals()
        assert not wrong, wrong
