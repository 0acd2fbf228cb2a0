"""Runs one server in its own process: `python -m benchmarks.servers.serve SERVER PAGE TLS`.

TLS is a folder with a certificate, or `-` for plain HTTP.
"""

from __future__ import annotations

import logging
import resource
import sys
from pathlib import Path

from benchmarks.servers.candidates import CANDIDATES, Options

DESCRIPTORS = 1024  # the usual soft limit, for example of systemd; a server may raise it up to the hard limit


def main(name: str, page: str, tls: str) -> None:
    """Serve until SIGTERM."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # a million log lines would be part of the cost
    CANDIDATES[name](Options(page, None if tls == "-" else Path(tls)))


if __name__ == "__main__":
    main(*sys.argv[1:])
