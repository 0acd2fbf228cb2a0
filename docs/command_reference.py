"""Generate docs/commands.md, the reference of commands, flags and endpoints."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from docs import stability
from exporter.cli.arguments import COMMANDS, PROGRAM
from exporter.cli.flags import FLAGS
from exporter.web.application import HEALTHY_PATH, READY_PATH, RELOAD_PATH, RUNBOOKS_PATH, SOURCES_PATH, STATUS_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.cli.flags import Flag

HEAD = f"""# Commands, flags and endpoints

Written by `make generate` from the declarations in `exporter/cli/`. `{PROGRAM} COMMAND -h` prints the same for one
command, with its defaults and an example. [Stability](stability.md) says what a release may change."""

ENDPOINTS = {
    "/metrics": "the metrics, as Prometheus text or OpenMetrics, gzip on request; `--web.telemetry-path` moves it",
    STATUS_PATH: "the status page: every data source with its problems, indexes, and the health of the exporter",
    SOURCES_PATH: "the same facts as JSON ([JSON API](api.md))",
    RUNBOOKS_PATH: "the runbooks of the alerts, each at its name",
    HEALTHY_PATH: "200 while the process can do its work, else 503 with the reason",
    READY_PATH: "200 once every target had its first pass, 503 with the reason before",
    RELOAD_PATH: "POST or PUT: reload the configuration; 200, or 500 with the problems",
}


def commands_page() -> str:
    """Return the text of docs/commands.md."""
    return "\n".join([HEAD, *_commands(), *_endpoints(), ""])


def _commands() -> Iterator[str]:
    shared = [flag for flag in FLAGS if not flag.commands]
    yield from ("", "Every command has these flags, and `-h` and `--version`:", "")
    yield from _flag_rows(shared)
    for name, command in COMMANDS.items():
        words = " ".join((name, *command.words))
        yield from ("", f"## `{words}`", "", f"{command.help[0].upper()}{command.help[1:]}.")
        yield from ("", "```sh", f"{PROGRAM} {command.example}", "```")
        own = [flag for flag in FLAGS if name in flag.commands and flag.help != argparse.SUPPRESS]
        if own:
            yield ""
            yield from _flag_rows(own)


def _flag_rows(flags: list[Flag]) -> Iterator[str]:
    yield from ("| flag | meaning |", "|---|---|")
    for flag in flags:
        value = flag.options.get("metavar")
        given = f"--{flag.name}={value}" if value else f"--{flag.name}"
        text = flag.help % {"default": flag.options.get("default")}
        yield f"| {stability.marked(given, flag.name, stability.FLAGS)} | {text} |"


def _endpoints() -> Iterator[str]:
    yield from ("", "## Endpoints", "", "| path | response |", "|---|---|")
    for path, text in ENDPOINTS.items():
        yield f"| `{path}` | {text} |"
