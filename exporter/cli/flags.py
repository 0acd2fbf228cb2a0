"""The flags of the commands, in Prometheus' spelling."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.cli import logs
from exporter.cli.document_formats import FORMATS
from exporter.cli.flag_types import (
    AppendLabel,
    parse_alert,
    parse_duration,
    parse_file,
    parse_label,
    parse_name,
    parse_size,
    parse_url,
)
from exporter.cli.sizes import format_size
from exporter.domain.durations import format_duration
from exporter.providers.registry import SERVICES
from exporter.rules.options import STATUS_PAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FILE = Path("config.yaml")
DEFAULT_ADDRESS = ":10142"
DEFAULT_STEP = 300.0
DEFAULT_MAX_SIZE = 2 * 2**30  # bytes
_DOCUMENT_STATUSES = tuple(
    dict.fromkeys(status for service in SERVICES.values() for status in service.document_statuses)
)


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag, the commands that have it (none: all of them), and its options for argparse."""

    name: str
    help: str
    commands: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def attribute(self) -> str:
        """The attribute of the parsed arguments."""
        return self.name.replace(".", "_").replace("-", "_")

    @property
    def action(self) -> str:
        """The argparse action that stores the last value, or true for a flag without a value."""
        return "store_true" if self.options.get("action") == "store_true" else "store"

    def is_of(self, command: str) -> bool:
        """Return whether a command has this flag."""
        return not self.commands or command in self.commands

    def add_to(self, parser: argparse.ArgumentParser) -> argparse.Action:
        """Add the flag to the parser of a command that has it."""
        return parser.add_argument(f"--{self.name}", dest=self.attribute, help=self.help, **self.options)


FLAGS = (
    Flag(
        "config.file",
        f"configuration (default: {DEFAULT_FILE} if it exists, otherwise region and credentials of the AWS SDK)",
        ("serve", "check", "discover", "export", "backfill", "policy", "plan", "rules", "documents"),
        {"type": Path, "metavar": "FILE"},
    ),
    # The entry point of the image names the file for every command.
    Flag("config.file", argparse.SUPPRESS, ("demo",), {"type": Path}),
    Flag(
        "probe",
        "try each permission once per target, and print those that are missing",
        ("check",),
        {"action": "store_true"},
    ),
    Flag(
        "syntax-only",
        "check the files only, not what serve needs on this host: addresses, state file, region and profile",
        ("check",),
        {"action": "store_true"},
    ),
    Flag(
        "output",
        "file to write to, replaced atomically (default: stdout)",
        ("export", "backfill"),
        {"type": Path, "metavar": "FILE"},
    ),
    Flag(
        "since",
        "how far back to start, such as 90d (default: the oldest sync job that AWS lists)",
        ("backfill",),
        {"type": parse_duration, "metavar": "DURATION"},
    ),
    Flag(
        "step",
        f"time between two samples (default: {format_duration(DEFAULT_STEP)})",
        ("backfill",),
        {"type": parse_duration, "metavar": "DURATION", "default": DEFAULT_STEP},
    ),
    Flag(
        "max-size",
        f"write nothing if the output would be larger (default: {format_size(DEFAULT_MAX_SIZE)})",
        ("backfill",),
        {"type": parse_size, "metavar": "SIZE", "default": DEFAULT_MAX_SIZE},
    ),
    Flag(
        "label",
        "a label that Prometheus adds when it scrapes, such as job=qbusiness; repeat for several",
        ("backfill",),
        {"type": parse_label, "action": AppendLabel, "default": [], "metavar": "NAME=VALUE"},
    ),
    Flag(
        "service",
        f"service to print the rules of: {', '.join(SERVICES)}; repeat for several (default: the services of the "
        "configuration's targets)",
        ("rules",),
        {"choices": tuple(SERVICES), "action": "append", "default": [], "metavar": "SERVICE"},
    ),
    Flag(
        "label",
        "a name from `labels:` of the configuration, or of a tag, to add to every alert of a data source, as "
        "label_NAME or tag_NAME; repeat for several",
        ("rules",),
        {"type": parse_name, "action": "append", "default": [], "metavar": "NAME"},
    ),
    Flag(
        "runbook.url",
        "address of the folder of runbooks; alerts link to NAME below it (default: those that the exporter serves)",
        ("rules",),
        {"type": parse_url, "metavar": "URL"},
    ),
    Flag(
        "grafana.url",
        "address of Grafana, for links to dashboards (default: links are paths)",
        ("rules",),
        {"type": parse_url, "metavar": "URL"},
    ),
    Flag(
        "web.external-url",
        "address of the exporter, for links to the status page (default: %(default)s)",
        ("rules",),
        {"type": parse_url, "default": STATUS_PAGE, "metavar": "URL"},
    ),
    Flag(
        "disable",
        "an alert to leave out; repeat for several",
        ("rules",),
        {"type": parse_alert, "action": "append", "default": [], "metavar": "ALERT"},
    ),
    Flag(
        "data-source",
        "id of the data source, or APPLICATION_ID/INDEX_ID/ID if the id is ambiguous",
        ("documents",),
        {"required": True, "metavar": "ID"},
    ),
    Flag(
        "status",
        f"list only documents of this status: {', '.join(_DOCUMENT_STATUSES)}",
        ("documents",),
        {"choices": _DOCUMENT_STATUSES, "metavar": "STATUS"},
    ),
    Flag(
        "format",
        f"format of the list: {', '.join(FORMATS)} (default: %(default)s)",
        ("documents",),
        {"choices": FORMATS, "default": "table", "metavar": "FORMAT"},
    ),
    Flag(
        "web.listen-address",
        f"address to listen on; repeat for several (default: {DEFAULT_ADDRESS})",
        ("serve", "demo", "check"),
        {"action": "append", "metavar": "ADDRESS"},
    ),
    Flag(
        "web.systemd-socket",
        "listen on the sockets that systemd passes, in place of --web.listen-address",
        ("serve",),
        {"action": "store_true"},
    ),
    Flag(
        "web.telemetry-path",
        "path of the metrics (default: %(default)s)",
        ("serve", "demo", "check"),
        {"default": "/metrics", "metavar": "PATH"},
    ),
    Flag(
        "web.external-url",
        "address of the status page for users, if a reverse proxy is in front of the exporter",
        ("serve", "demo", "check"),
        {"metavar": "URL"},
    ),
    Flag(
        "web.route-prefix",
        "prefix of all paths, / for none (default: the path of --web.external-url)",
        ("serve", "demo", "check"),
        {"metavar": "PATH"},
    ),
    Flag(
        "grafana.url",
        "address of Grafana, for links from the status page to dashboards (default: no links)",
        ("serve", "demo", "check"),
        {"type": parse_url, "metavar": "URL"},
    ),
    Flag(
        "web.config.file",
        "TLS, basic authentication and headers, in the format of Prometheus exporter-toolkit (default: none)",
        ("serve", "demo", "check"),
        {"type": parse_file, "metavar": "FILE"},
    ),
    Flag(
        "log.level",
        f"lowest level to log: {', '.join(logs.LEVELS)} (default: %(default)s)",
        (),
        {"choices": logs.LEVELS, "default": "info", "metavar": "LEVEL"},
    ),
    Flag(
        "log.format",
        f"format of log lines: {' or '.join(logs.FORMATS)} (default: %(default)s)",
        (),
        {"choices": logs.FORMATS, "default": "logfmt", "metavar": "FORMAT"},
    ),
)
"""Every flag. Two commands may have flags of the same name."""
