"""The configuration files that the command line names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from exporter import config
from exporter.errors import ConfigError
from exporter.web.web_config import WebConfigReloader

if TYPE_CHECKING:
    from argparse import Namespace

    from exporter.errors import ConfigProblem

DEFAULT_FILE = Path("config.yaml")

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration, its warnings, the name of its file, and the web config if there is one."""

    config: config.Config
    warnings: tuple[ConfigProblem, ...]
    file: str
    web_config: WebConfigReloader | None = None

    def log_warnings(self) -> None:
        """Log each warning."""
        for warning in self.warnings:
            logger.warning("configuration warning", problem=str(warning))


def read(arguments: Namespace) -> Configuration:
    """Read the configuration and the web config; raise ConfigError with every problem of both."""
    problems = []
    try:
        web_config = read_web_config(arguments)
    except ConfigError as error:
        web_config, problems = None, error.problems
    try:
        loaded, file = _read_config(arguments.config_file)
    except ConfigError as error:
        raise ConfigError([*error.problems, *problems]) from error
    if problems:
        raise ConfigError(problems)
    return Configuration(
        loaded.config, (*loaded.warnings, *(web_config.warnings if web_config else ())), file, web_config
    )


def read_web_config(arguments: Namespace) -> WebConfigReloader | None:
    """Read the web config if the command line names one; raise ConfigError with every problem."""
    return WebConfigReloader(arguments.web_config_file) if arguments.web_config_file else None


def _read_config(file: Path | None) -> tuple[config.Loaded, str]:
    """Read the named file. Without one, read config.yaml if it exists, or return the defaults."""
    if file is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    return (config.load(file), str(file)) if file else (config.Loaded(config.default(), ()), "built-in defaults")
