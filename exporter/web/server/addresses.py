"""Listen addresses in the format of Prometheus exporters."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address

from exporter.errors import StartupError

MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """A host, empty for all interfaces, and a port, 0 for any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return the address in the format of the command line."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_every_interface(self) -> bool:
        """Whether the address stands for all interfaces, IPv4 and IPv6, as in Go."""
        return self.host in {"", "::"}


def parse_address(text: str) -> Address:
    """Parse `:10142`, `127.0.0.1:10142`, `[::1]:10142` or `localhost:10142`; raise StartupError if it is invalid."""
    host, colon, port = text.rpartition(":")
    if not colon:
        raise _invalid(text, "has no port")
    if not (port.isascii() and port.isdecimal() and len(port) <= len(str(MAX_PORT)) and int(port) <= MAX_PORT):
        raise _invalid(text, f"needs a port from 0 to {MAX_PORT} after its last colon")
    return Address(_parse_host(text, host), int(port))


def _parse_host(text: str, host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(IPv6Address(host[1:-1]))
        except ValueError:
            raise _invalid(text, "has no IPv6 address between its brackets") from None
    if ":" in host:
        raise _invalid(text, "has too many colons: write an IPv6 address in brackets")
    if not host.isascii() or any(character in "[]/@" or character.isspace() for character in host):
        raise _invalid(text, "has no usable host name")
    return host


def _invalid(text: str, reason: str) -> StartupError:
    return StartupError(f"--web.listen-address {text!r} {reason}; write :10142, 127.0.0.1:10142 or [::1]:10142")
