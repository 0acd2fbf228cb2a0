"""The types of flag values. Each function parses a text, and its errors say what would be right.

A function that needs metrics or rules imports them itself. Otherwise `--help` would take several times as long.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.cli import sizes
from exporter.domain import durations
from exporter.domain.label_names import LABEL_NAME
from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from exporter.domain.service import Service

_URL = re.compile(r"https?://[^\s\"'<>\\^`{|}]+")


def parse_duration(text: str) -> float:
    """Parse a duration of at least one second."""
    try:
        seconds = durations.parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text} is too short: the minimum is 1s")
    return seconds


def parse_size(text: str) -> int:
    """Parse a size of a file."""
    try:
        return sizes.parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def parse_label(text: str) -> tuple[str, str]:
    """Parse NAME=VALUE; the metrics must not have a label of this name."""
    name, separator, value = text.partition("=")
    if not separator or not re.fullmatch(LABEL_NAME, name) or name.startswith("__"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a label: write NAME=VALUE, such as job=qbusiness")
    if name == "le" or any(name in _labels_of(service) for service in SERVICES.values()):
        raise argparse.ArgumentTypeError(f"{name} is already a label of the metrics")
    return name, value


def _labels_of(service: Service) -> set[str]:
    from exporter.metrics import source_families, source_labels  # noqa: PLC0415 (see the module)

    own = (label for family in source_families(service) for label in family.labels)
    return {*source_labels(service), *own}


class AppendLabel(argparse.Action):
    """Appends a label, and rejects a second one with the same name."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,  # noqa: ANN401 (the interface of argparse)
        option_string: str | None = None,
    ) -> None:
        """Append the label to the others."""
        labels = dict(getattr(namespace, self.dest))
        name, value = values
        if name in labels:
            parser.error(f"argument {option_string}: the label {name} is set twice, to {labels[name]!r} and {value!r}")
        setattr(namespace, self.dest, [*labels.items(), values])


def parse_name(text: str) -> str:
    """Parse the name of a label or a tag."""
    if not text.strip() or "=" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a name: write the name of a label or a tag, such as team")
    return text


def parse_alert(text: str) -> str:
    """Parse the name of a shipped alert."""
    from exporter.rules.renderer import alert_names  # noqa: PLC0415 (see the module)

    if text not in alert_names():
        raise argparse.ArgumentTypeError(f"no such alert: {text!r} (choose from {', '.join(alert_names())})")
    return text


def parse_url(text: str) -> str:
    """Parse the address of a server or a folder; return it without a slash at the end."""
    if not _URL.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL: write one such as https://exporter.example.com")
    return text.rstrip("/")


def parse_file(text: str) -> Path | None:
    """Parse a path; an empty text, such as an empty variable of a script, means no file."""
    return Path(text) if text else None
