"""`rules`: print the alerting and recording rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.config_files import read
from exporter.cli.output import print_output
from exporter.providers.registry import SERVICES
from exporter.rules.options import RuleOptions
from exporter.rules.renderer import RuleRenderer

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from exporter.domain.service import Service


def run(arguments: Namespace) -> int:
    """Print the rules of the services as one rule file."""
    options = RuleOptions(
        services=tuple(dict.fromkeys(_services(arguments))),
        labels=tuple(arguments.label),
        disabled=frozenset(arguments.disable),
        runbooks=arguments.runbook_url or "",
        external_url=arguments.web_external_url,
        grafana_url=arguments.grafana_url or "",
    )
    print_output(RuleRenderer(options).document(), end="")
    return 0


def _services(arguments: Namespace) -> Iterable[Service]:
    """Return the named services, or else the services of the targets. A service may occur several times."""
    if arguments.service:
        return (SERVICES[name] for name in arguments.service)
    return (target.service for target in read(arguments).config.targets)
