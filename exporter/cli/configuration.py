"""Which configuration is meant by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import config

if TYPE_CHECKING:
    from argparse import Namespace

    from exporter.errors import Problem

DEFAULT_FILE = Path("config.yaml")


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration, what is unwise in it, and where it came from."""

    config: config.Config
    warnings: tuple[Problem, ...]
    file: str


def read(arguments: Namespace) -> Configuration:
    """Read the file that was named, else config.yaml where there is one, else take the defaults."""
    file: Path | None = arguments.config_file
    if file is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    if file is None:
        return Configuration(config.default(), (), "built-in defaults")
    loaded = config.load(file)
    return Configuration(loaded.config, loaded.warnings, str(file))
