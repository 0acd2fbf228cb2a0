"""The health check of the image finds the paths of the exporter in its command line."""

from __future__ import annotations

import pytest

from deploy.container import healthcheck
from deploy.container.healthcheck import remote_address, route_prefix
from exporter.cli import flags
from exporter.web.public_address import PublicAddress


@pytest.mark.parametrize("external_url", [None, "https://ops.example.com", "https://ops.example.com/tools/qb/"])
@pytest.mark.parametrize("prefix", [None, "/", "qb", "/qb/", "//a//b"])
def test_the_prefix_is_that_of_the_exporter(external_url: str | None, prefix: str | None) -> None:
    """Flags that it does not know make no difference."""
    options = {"--web.external-url": external_url, "--web.route-prefix": prefix, "--log.level": "debug"}
    command_line = ["qbusiness-exporter", "serve", *(f"{name}={value}" for name, value in options.items() if value), ""]
    assert route_prefix(command_line) == PublicAddress.of(external_url, prefix).route_prefix


def test_the_default_address_is_that_of_the_exporter() -> None:
    """The health check has its own copy, because importing the flags would take most of its time."""
    assert healthcheck.DEFAULT_ADDRESS == flags.DEFAULT_ADDRESS


def test_a_url_is_requested_as_it_is() -> None:
    """The test pod of the chart requests another pod, whose command line it cannot read."""
    assert remote_address("http://qb.monitoring:80/qb/-/healthy") == ("qb.monitoring", 80, "/qb/-/healthy", False)
    assert remote_address("https://qb.monitoring/-/ready") == ("qb.monitoring", 10142, "/-/ready", True)
