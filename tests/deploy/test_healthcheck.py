"""The health check of the image finds the paths of the exporter in its command line."""

from __future__ import annotations

import pytest

from deploy.container.healthcheck import route_prefix
from exporter.web.public_address import PublicAddress


@pytest.mark.parametrize("external_url", [None, "https://ops.example.com", "https://ops.example.com/tools/qb/"])
@pytest.mark.parametrize("prefix", [None, "/", "qb", "/qb/", "//a//b"])
def test_the_prefix_is_that_of_the_exporter(external_url: str | None, prefix: str | None) -> None:
    """Flags that it does not know make no difference."""
    flags = {"--web.external-url": external_url, "--web.route-prefix": prefix, "--log.level": "debug"}
    command_line = ["qbusiness-exporter", "serve", *(f"{name}={value}" for name, value in flags.items() if value), ""]
    assert route_prefix(command_line) == PublicAddress.of(external_url, prefix).route_prefix
