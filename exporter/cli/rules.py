"""`rules`: print the alerting and recording rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.cli.output import print_output
from exporter.rules import RuleOptions, RuleRenderer

if TYPE_CHECKING:
    from argparse import Namespace


def run(arguments: Namespace) -> int:
    """Print the rules of a service as one rule file."""
    options = RuleOptions(
        service=arguments.service,
        labels=tuple(arguments.label),
        disabled=frozenset(arguments.disable),
        runbooks=arguments.runbook_url or "",
        external_url=arguments.web_external_url,
        grafana_url=arguments.grafana_url or "",
    )
    print_output(RuleRenderer(options).document(), end="")
    return 0
