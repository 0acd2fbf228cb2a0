"""One server in a process of its own: `python -m benchmarks.servers.serve SERVER PAGE TLS ADDRESS ...`.

TLS is a folder, or `-` for plain HTTP.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from benchmarks.servers.contenders import CONTENDERS, Options
from exporter.errors import StartupError

DESCRIPTORS = 1024  # the usual soft limit, for example of systemd; a server may raise it up to the hard limit


def main(name: str, page: str, tls: str, *addresses: str) -> None:
    """Serve until SIGTERM."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    try:
        CONTENDERS[name](Options(page, addresses, None if tls == "-" else Path(tls)))
    except StartupError as error:  # as the exporter's commands do
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
