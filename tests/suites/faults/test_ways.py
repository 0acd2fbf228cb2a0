"""Faults of the way to AWS, and of whom it takes us for: they befall every operation and everything at once."""

from __future__ import annotations

import os
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme

from exporter.simulator.server import SimulatedQBusiness
from tests.support.builders import HOUR
from tests.support.faults.environment import HOST, Stage
from tests.support.faults.matrix import WAYS, Way
from tests.support.faults.runner import FOUND_AGAIN, changes, surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOR_A_MOMENT = 900.0  # until the next poll


def certified(authority: trustme.CA) -> ssl.SSLContext:
    """Make what a server needs that an authority vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


@contextmanager
def befallen(stage: Stage, way: Way, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the way be barred for a while; connections that were open are dropped."""
    service = stage.service
    trusted = service.tls
    if way.kind == "refused":
        address = ("127.0.0.1", int(service.url.rpartition(":")[2]))
        service.stop()
        with socket.socket() as held:  # bound, and not listening: nobody else may have the port meanwhile
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(address)
            yield
        stage.service = SimulatedQBusiness(stage.fleet, service.clock, port=address[1])
        stage.service.api = service.api
        stage.service.start()
        return
    with monkeypatch.context() as changed:
        if way.kind == "unresolved":
            changed.setattr("socket.getaddrinfo", _unresolved)
        elif way.kind == "untrusted":
            service.tls = certified(trustme.CA())
        elif way.kind == "plain":
            service.tls = None
        else:
            service.api.sts.revoked.add(os.environ["AWS_ACCESS_KEY_ID"])
        service.drop_connections()
        yield
    service.tls = trusted
    if way.kind == "rotated":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"rotated-{len(service.api.sts.revoked)}")
    service.drop_connections()


def _unresolved(*_: object) -> None:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.kind)
def test_a_way_that_is_barred_is_said_and_survived(way: Way, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For a moment and an hour: all polls and discovery fail and say why, all else stays, and the totals are right."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with Stage() as stage:
        if way.kind in {"untrusted", "plain"}:
            stage.service.tls = certified(authority)
        surroundings(monkeypatch, stage)
        if stage.service.tls:
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", stage.service.url.replace("http://127.0.0.1", f"https://{HOST}"))
        stage.start()
        stage.run_until_well(FOUND_AGAIN)
        stage.begin_jobs()
        for seconds in (FOR_A_MOMENT, HOUR):
            stage.run(300)
            before = stage.pages[-1]
            with befallen(stage, way, monkeypatch):
                stage.run(seconds)
                page = stage.pages[-1]
                grown = changes(before.series, page.series)
                assert page.total("qbusiness_exporter_poll_failures_total", f'reason="{way.reason}"') > 0
                assert page.total("qbusiness_exporter_api_requests_total", f'code="{way.code}"') > 0
                assert page.total("qbusiness_poll_success") == 0
                assert page.total("qbusiness_target_up") == 0
                assert not {family for family in grown if not family.startswith("qbusiness_exporter_")} - {
                    "qbusiness_poll_success",
                    "qbusiness_target_up",
                }
                if seconds == HOUR:
                    assert page.total("qbusiness_exporter_discovery_success") == 0
            stage.run_until_well(FOUND_AGAIN)
        stage.finish()
        stage.run(FOUND_AGAIN)
        wrong = stage.wrong(stage.sources.values())
        assert not wrong, wrong
