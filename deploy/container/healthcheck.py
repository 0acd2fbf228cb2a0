#!/usr/bin/env python3
"""Health check of the container image: `healthcheck [PATH|URL]` exits 0 if the exporter responds with 200, else 1.

Without a URL, it finds the address in the command line of the exporter, which is process 1 in the container. An
exporter that requires a client certificate counts as healthy as soon as it responds, and the output says that its
health is unknown.
"""

from __future__ import annotations

import argparse
import http.client
import ssl
import sys
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT = 4.0  # seconds
DEFAULT_ADDRESS = ":10142"  # as in exporter.cli.flags, whose import would take too long
WILDCARDS = {"": "localhost", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (the exporter listens there)


def main() -> int:
    """Print the response of the exporter and return the exit code."""
    argument = sys.argv[1] if len(sys.argv) > 1 else "/-/healthy"
    host, port, path, may_be_tls = remote_address(argument) if "://" in argument else local_address(argument)
    try:
        healthy, message = check(host, port, path, tls=may_be_tls)
    except (OSError, http.client.HTTPException) as error:
        healthy, message = False, f"no response from {host}:{port}: {error}"
    print(message)
    return 0 if healthy else 1


def remote_address(url: str) -> tuple[str, int, str, bool]:
    """Return the host, port and path of a URL, and whether it uses TLS."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or int(DEFAULT_ADDRESS[1:]), parts.path, parts.scheme == "https"


def local_address(path: str) -> tuple[str, int, str, bool]:
    """Return the host, port and full path of the exporter in this container, and whether it may use TLS."""
    command_line = Path("/proc/1/cmdline").read_text().split("\0")
    host, port, may_be_tls = listen_address(command_line)
    return host, port, route_prefix(command_line) + path, may_be_tls


def listen_address(command_line: list[str]) -> tuple[str, int, bool]:
    """Return the host and port of a command line, and whether the exporter may use TLS."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--web.listen-address", dest="addresses", action="append")
    parser.add_argument("--web.config.file", dest="web_config")
    flags, _ = parser.parse_known_args(command_line)
    host, _, port = (flags.addresses or [DEFAULT_ADDRESS])[0].rpartition(":")
    host = host.strip("[]")
    return WILDCARDS.get(host, host), int(port), bool(flags.web_config)


def route_prefix(command_line: list[str]) -> str:
    """Return the prefix of all paths, without a slash at its end."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--web.external-url", dest="external_url", default="")
    parser.add_argument("--web.route-prefix", dest="route_prefix")
    flags, _ = parser.parse_known_args(command_line)
    prefix = urlsplit(flags.external_url).path if flags.route_prefix is None else flags.route_prefix
    return "/".join(["", *filter(None, prefix.split("/"))])


def check(host: str, port: int, path: str, *, tls: bool) -> tuple[bool, str]:
    """Return whether the exporter is healthy, and a message.

    Raises OSError or HTTPException if the exporter does not respond.
    """
    if not tls:
        return fetch(http.client.HTTPConnection(host, port, timeout=TIMEOUT), path)
    try:
        # The certificate does not name the local address. The connection never leaves the container.
        context = ssl._create_unverified_context()  # noqa: S323, SLF001
        return fetch(http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context), path)
    except ssl.SSLError as error:
        if "CERTIFICATE_REQUIRED" in str(error) or "HANDSHAKE_FAILURE" in str(error):
            return True, "listening, but requires a client certificate: health unknown"
        return check(host, port, path, tls=False)  # the web config does not enable TLS


def fetch(connection: http.client.HTTPConnection, path: str) -> tuple[bool, str]:
    """Return whether the response status is 200, and the status with the body."""
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode(errors="replace").strip()
        return response.status == http.client.OK, f"{response.status}: {text}"
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
