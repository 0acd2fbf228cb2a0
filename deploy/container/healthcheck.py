#!/usr/bin/env python3
"""Ask the exporter in this container whether it is healthy: `healthcheck [/-/ready]` exits 0 when it says so, else 1.

The address is that of the exporter's own command line, which is process 1 here. An exporter that wants a client
certificate of whoever asks is taken for healthy when it answers at all; the output says that no more is known.
"""

from __future__ import annotations

import argparse
import http.client
import ssl
import sys
from pathlib import Path

TIMEOUT = 4.0  # seconds
DEFAULT_ADDRESS = ":10142"
WILDCARDS = {"": "localhost", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (what is listened on, not by us)


def main() -> int:
    """Say what the exporter says, and give the exit code."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/-/healthy"
    host, port, may_be_tls = where(Path("/proc/1/cmdline").read_text().split("\0"))
    try:
        healthy, words = ask(host, port, path, tls=may_be_tls)
    except (OSError, http.client.HTTPException) as error:
        healthy, words = False, f"no answer from {host}:{port}: {error}"
    print(words)
    return 0 if healthy else 1


def where(command_line: list[str]) -> tuple[str, int, bool]:
    """Read off a command line where the exporter listens, and whether that may be with TLS."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--web.listen-address", dest="addresses", action="append")
    parser.add_argument("--web.config.file", dest="web_config")
    flags, _ = parser.parse_known_args(command_line)
    host, _, port = (flags.addresses or [DEFAULT_ADDRESS])[0].rpartition(":")
    host = host.strip("[]")
    return WILDCARDS.get(host, host), int(port), bool(flags.web_config)


def ask(host: str, port: int, path: str, *, tls: bool) -> tuple[bool, str]:
    """Tell whether it is healthy, and why; raises OSError or HTTPException where nothing answers."""
    if not tls:
        return get(http.client.HTTPConnection(host, port, timeout=TIMEOUT), path)
    try:
        # It is ourselves, by an address that no certificate names.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001
        return get(http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context), path)
    except ssl.SSLError as error:
        if "CERTIFICATE_REQUIRED" in str(error) or "HANDSHAKE_FAILURE" in str(error):
            return True, "answers, and asks for a client certificate: whether it polls cannot be seen from here"
        return ask(host, port, path, tls=False)  # a web config without TLS


def get(connection: http.client.HTTPConnection, path: str) -> tuple[bool, str]:
    """Tell whether the answer is 200, and what it says."""
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode(errors="replace").strip()
        return response.status == http.client.OK, f"{response.status}: {text}"
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
