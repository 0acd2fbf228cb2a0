"""`state copy`: copy the state between a SQLite file and a PostgreSQL database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from exporter.app.state_copy import DatabaseState, FileState
from exporter.errors import StartupError
from exporter.store import MEMORY

if TYPE_CHECKING:
    from argparse import Namespace

    from exporter.app.state_copy import CopiedState

_SCHEMES = ("postgresql://", "postgres://")

logger = structlog.get_logger()


def run(arguments: Namespace) -> int:
    """Copy the state; raise StartupError if the destination is not empty, or if an exporter uses either of them."""
    _, source, destination = arguments.words
    if source == destination:
        raise StartupError("the source and the destination are the same: name two different ones")
    rows = _place(source).read()
    to = _place(destination)
    to.write(rows)
    logger.info("state copied", data_sources=len(rows["source"]), sync_jobs=len(rows["job"]), to=to.address)
    return 0


def _place(text: str) -> CopiedState:
    """Return a state. No message quotes a URL, because it may contain a password."""
    if text.startswith(_SCHEMES):
        return DatabaseState(text)
    if "://" in text:
        raise StartupError("only a database has a URL, which begins with postgresql://: for a file, name its path")
    if text == MEMORY:
        raise StartupError(f"{MEMORY} keeps no state: name the path of a file")
    return FileState(Path(text))
