"""Checks of what `serve` needs on this host: listen addresses, a place for the state, regions and profiles.

The checks change nothing and send no request. An address or a state file that is in use is not a problem, because its
user is most often the exporter whose configuration is checked.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.app.state import check_state
from exporter.aws import require_different_names
from exporter.cli.flags import DEFAULT_ADDRESS
from exporter.cli.oneshot import OneShotTarget
from exporter.errors import StartupError
from exporter.store import MEMORY
from exporter.web.application import check_telemetry_path
from exporter.web.public_address import PublicAddress
from exporter.web.server.listener import check_addresses

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator

    from exporter.config import Config


def start_problems(config: Config, arguments: Namespace) -> Iterator[str]:
    """Yield the reasons why `serve` would not start with this configuration and these flags."""
    yield from _problem(lambda: check_addresses(arguments.web_listen_address or [DEFAULT_ADDRESS]))
    yield from _problem(lambda: check_telemetry_path(arguments.web_telemetry_path))
    yield from _problem(lambda: PublicAddress.of(arguments.web_external_url, arguments.web_route_prefix))
    of_targets = [
        problem for target in config.targets for problem in _problem(partial(OneShotTarget, target, config.polling))
    ]
    # A target whose region is not known has no name.
    yield from of_targets or _problem(lambda: require_different_names(config.targets))
    if config.state.url is None:
        yield from _state_problems(config.state.path)
    yield from _problem(lambda: check_state(config.state))


def _problem(check: Callable[[], object]) -> Iterator[str]:
    try:
        check()
    except StartupError as error:
        yield str(error)


def _state_problems(path: str) -> Iterator[str]:
    """Yield why the state file cannot be created or written; nothing if the state is kept in memory."""
    file = Path(path).absolute()
    if path == MEMORY:
        return
    if not file.parent.is_dir():
        yield f"state.path: the directory {file.parent} does not exist: create it, or set another state.path"
    elif file.exists() and not file.is_file():
        yield f"state.path: {file} is not a regular file: set the path of a file, which may not exist yet"
    elif not _is_writable(file):
        yield f"state.path: no permission to write {file}: change its owner, or run the command as the exporter's user"


def _is_writable(file: Path) -> bool:
    """Return whether SQLite could write a file, and its log in the same directory."""
    return os.access(file.parent, os.W_OK | os.X_OK) and (not file.exists() or os.access(file, os.R_OK | os.W_OK))
