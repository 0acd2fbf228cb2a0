"""Containers of the image: restricted, restarted on their volume, and checked for health."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter.domain.units import HOUR
from exporter.providers.registry import SERVICES
from exporter.simulator.fleet import SimulatedDataSource, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.suites.image.containers import CONFIG, REVISION, STATE, run_once
from tests.support.certificates import Certificates
from tests.support.harness import config_for, eventually, fleet_of
from tests.support.manual_clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.suites.image.containers import ContainerProgram

    RunContainer = Callable[..., ContainerProgram]


def mount_config(folder: Path, config: object) -> str:
    """Write a configuration; return the option that mounts it at the default path of the image."""
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config))
    file.chmod(0o644)
    return f"--volume={file}:{CONFIG}:ro"


def test_the_demo_needs_only_a_network(run_container: RunContainer) -> None:
    """It runs as an unprivileged user, without capabilities, writable files or mounts, and exposes its revision."""
    with run_container("demo") as container:
        container.until_ready()
        scrape = container.scrape()
        assert scrape.value("qbusiness_exporter_data_sources") == 12
        assert scrape.value("qbusiness_exporter_build_info", revision=REVISION) == 1
        status = dict(line.split(":\t", 1) for line in container.exec("cat", "/proc/1/status").stdout.splitlines())
        assert status["Uid"].split() == ["10142"] * 4
        assert status["Gid"].split() == ["10142"] * 4
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert status["NoNewPrivs"] == "1"
        assert "exporter" in container.exec("cat", "/proc/1/cmdline").stdout
        for directory in ("/", "/tmp", "/opt/qbusiness-exporter", "/etc/qbusiness-exporter"):  # noqa: S108 (must not be writable)
            assert container.exec("touch", f"{directory}/file").returncode != 0
        assert container.stop() == 0


def test_counting_continues_on_the_same_volume(run_container: RunContainer, tmp_path: Path, volume: str) -> None:
    """The exporter stops within five seconds. After the restart it counts the jobs that ended meanwhile."""
    clock = ManualClock(time.time())
    source = SimulatedDataSource("hr", jobs=[PlannedJob(make_id("old"), clock.now() - HOUR)])
    with SimulatedEndpoint(fleet_of(source), clock) as service:
        config = config_for(service, "state.db")
        options = (
            mount_config(tmp_path, config),
            f"--volume={volume}:{STATE}",
            f"--env=AWS_ENDPOINT_URL_STS={service.url}",
        )
        with run_container("serve", options=options) as container:
            container.until_ready()
            assert container.exec("ls", STATE).stdout.split()[0] == "state.db"
            began = time.monotonic()
            assert container.stop() == 0
            assert time.monotonic() - began < 5
        source.jobs += [PlannedJob(make_id(n), clock.now() + n * HOUR, documents={"added": 2}) for n in range(1, 8)]
        clock.advance(20 * HOUR)
        with run_container("serve", options=options) as container:
            container.until_ready()
            assert container.scrape().value("qbusiness_sync_jobs_completed_total", status="SUCCEEDED") == 7
            container.send(signal.SIGHUP)
            container.until_logged("configuration applied")
            assert container.stop() == 0
        with run_container("serve", options=options) as container:
            assert container.scrape().value("qbusiness_sync_jobs_completed_total", status="SUCCEEDED") == 7


def test_a_role_is_assumed_in_the_image(run_container: RunContainer, tmp_path: Path) -> None:
    """The image omits botocore's data of other services, but has the data of STS."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        config = config_for(service, ":memory:")
        config["targets"][0]["role_arn"] = "arn:aws:iam::111122223333:role/qbusiness-exporter"
        options = (mount_config(tmp_path, config), f"--env=AWS_ENDPOINT_URL_STS={service.url}")
        with run_container("serve", options=options) as container:
            container.until_ready()
            assert container.scrape().value("qbusiness_exporter_target_info", aws_account_id="111122223333") == 1


@pytest.mark.parametrize(
    "service", ["sso", "sso-oidc", "signin", "sts", "sqs", *(each.client for each in SERVICES.values())]
)
def test_the_image_has_the_data_of_every_service_in_use(image: str, service: str) -> None:
    """These are the watched services, the service of the events queue, and those that credential providers call."""
    code = f"import boto3; print(boto3.client('{service}', region_name='us-east-1').meta.service_model.service_name)"
    run = run_once(image, "-c", code, options=("--entrypoint=python",))
    assert run.stdout.strip() == service, run.stderr


def test_the_health_check_reports_the_state_of_the_exporter(run_container: RunContainer, tmp_path: Path) -> None:
    """It finds the address of the exporter. It succeeds while the exporter is healthy, and fails with the reason."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        service.faults.add("denied", operation="ListDataSourceSyncJobs")
        options = (mount_config(tmp_path, config_for(service, ":memory:")), f"--env=AWS_ENDPOINT_URL_STS={service.url}")
        with run_container("serve", options=options) as container:
            healthy = container.exec("healthcheck")
            assert (healthy.returncode, healthy.stdout) == (0, "200: Healthy\n")
            ready = container.exec("healthcheck", "/-/ready")
            assert ready.returncode == 1
            assert ready.stdout.startswith("503: ")
            service.faults.clear()
            eventually(lambda: container.exec("healthcheck", "/-/ready").returncode == 0)
            container.send(signal.SIGSTOP)
            stalled = container.exec("healthcheck")
            assert (stalled.returncode, stalled.stdout) == (1, f"no response from {container.listen}: timed out\n")
            container.send(signal.SIGCONT)
            assert container.exec("healthcheck").returncode == 0


@pytest.mark.parametrize(
    ("client_certificates", "output"),
    [
        (False, "200: Healthy"),
        (True, "listening, but requires a client certificate: health unknown"),
    ],
)
def test_the_health_check_supports_tls(
    run_container: RunContainer, tmp_path: Path, *, client_certificates: bool, output: str
) -> None:
    """It accepts any server certificate. It reports that it has no client certificate if one is required."""
    Certificates(tmp_path)
    (tmp_path / "server.key").chmod(0o644)
    tls = {"cert_file": "server.crt", "key_file": "server.key"}
    if client_certificates:
        tls |= {"client_ca_file": "ca.crt", "client_auth_type": "RequireAndVerifyClientCert"}
    (tmp_path / "web.yaml").write_text(yaml.safe_dump({"tls_server_config": tls}))
    tmp_path.chmod(0o755)
    options = (f"--volume={tmp_path}:/etc/qbusiness-exporter-web:ro",)
    with run_container("demo", "--web.config.file=/etc/qbusiness-exporter-web/web.yaml", options=options) as container:
        healthy = container.exec("healthcheck")
        assert (healthy.returncode, healthy.stdout) == (0, f"{output}\n")


@pytest.mark.parametrize("command", ["check", "policy", "plan"])
def test_every_command_reads_the_mounted_configuration(image: str, tmp_path: Path, command: str) -> None:
    """A problem is reported with the path and position, so that no command uses the defaults instead."""
    run = run_once(image, command, options=(mount_config(tmp_path, {"pollling": {}}),))
    assert run.returncode == 1
    assert f"{CONFIG}:1:1: " in run.stderr


def test_the_configuration_in_the_image_is_all_defaults(image: str) -> None:
    """The image needs only a region and credentials."""
    run = run_once(image, "check", options=("--env=AWS_REGION=us-east-1",))
    assert (run.returncode, run.stderr) == (0, "")
