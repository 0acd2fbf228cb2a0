"""Reads the configuration files that the command line names."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from exporter import config
from exporter.cli.excluded_families import exclusion_warnings
from exporter.cli.flags import DEFAULT_FILE
from exporter.errors import ConfigError, ConfigProblem
from exporter.web.web_config import WebConfigReloader

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

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


class ConfigReader:
    """Reads the configuration and the web config that the command line names, and the configuration for each reload.

    A file that has existed must still exist at a reload. Example: without `--config.file`, a deploy script deletes
    `config.yaml` before it writes a new one. The defaults are a valid configuration, but they would remove every target
    and all of its series.
    """

    def __init__(self, arguments: Namespace) -> None:
        self._arguments = arguments
        self._file: Path | None = arguments.config_file
        self._has_content = False

    def read(self) -> Configuration:
        """Read both files; raise ConfigError with every problem of both."""
        problems = []
        try:
            web_config = read_web_config(self._arguments)
        except ConfigError as error:
            web_config, problems = None, error.problems
        try:
            loaded = self.read_config()
        except ConfigError as error:
            raise ConfigError([*error.problems, *problems]) from error
        if problems:
            raise ConfigError(problems)
        warnings = (*loaded.warnings, *(web_config.warnings if web_config else ()))
        return replace(loaded, warnings=warnings, web_config=web_config)

    def read_config(self) -> Configuration:
        """Read the configuration alone; raise ConfigError with every problem.

        Read the named file. Without one, read config.yaml if it exists, or return the defaults.

        A link whose file is missing exists too, so that it is an error. Example: the folder of a ConfigMap.
        """
        file = self._file or (DEFAULT_FILE if os.path.lexists(DEFAULT_FILE) else None)
        if file is None:
            return Configuration(config.default(), (), "built-in defaults")
        loaded = config.load(file, exclusion_warnings)
        if self._has_content:
            config.require_content(file, not loaded.is_empty)
        self._file, self._has_content = file, not loaded.is_empty
        return Configuration(loaded.config, loaded.warnings, str(file))


def read(arguments: Namespace) -> Configuration:
    """Read the configuration and the web config once; raise ConfigError with every problem of both."""
    return ConfigReader(arguments).read()


def read_web_config(arguments: Namespace) -> WebConfigReloader | None:
    """Read the web config if the command line names one; raise ConfigError with every problem."""
    return WebConfigReloader(arguments.web_config_file) if arguments.web_config_file else None
