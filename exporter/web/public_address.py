"""The address and the paths of the pages behind a reverse proxy, from the same flags as in Prometheus.

A proxy may forward the path of a request as it is, or remove a prefix. Example: users open https://ops.example.com/qb/.
With --web.external-url=https://ops.example.com/qb alone, the routes have the prefix /qb. If the proxy removes it, the
routes have none: --web.route-prefix=/. The links of the pages have the prefix /qb in both cases.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from exporter.errors import StartupError

_PATH = re.compile(r"[\w/.~+:@-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """The addresses of the status page and of Grafana for users, empty if unknown, and the prefix of all routes.

    None of them ends in a slash.
    """

    external_url: str = ""
    route_prefix: str = ""
    grafana_url: str = ""

    @classmethod
    def of(cls, external_url: str | None, route_prefix: str | None, grafana_url: str | None = None) -> PublicAddress:
        """Return the address for the values of the flags; raise StartupError if one is invalid."""
        path = _path_of(external_url) if external_url else ""
        prefix = path if route_prefix is None else route_prefix
        if not _PATH.fullmatch(prefix):
            raise StartupError(f"--web.route-prefix {route_prefix!r} must be the path of a URL, such as /qbusiness")
        return cls((external_url or "").rstrip("/"), _without_extra_slashes(prefix), grafana_url or "")

    def root(self, relative: str) -> str:
        """Return the address of the status page for links: `relative` if the external URL is not known.

        A relative address is wrong if a proxy serves the status page without a slash at the end of its address.
        """
        return f"{_without_extra_slashes(_path_of(self.external_url))}/" if self.external_url else relative


UNKNOWN_ADDRESS = PublicAddress()


def _without_extra_slashes(path: str) -> str:
    """Return a path that is empty, or begins with one slash and does not end with one."""
    return "/".join(["", *filter(None, path.split("/"))])


def _path_of(external_url: str) -> str:
    """Return the path of an external URL; raise StartupError if it is not valid."""
    try:
        url = urlsplit(external_url)
    except ValueError:
        url = urlsplit("")
    is_valid = url.scheme in {"http", "https"} and url.netloc and not (url.query or url.fragment)
    if not is_valid or not _PATH.fullmatch(url.path):
        raise StartupError(
            f"--web.external-url {external_url!r} must be the URL of the status page, such as https://ops.example.com/qb"
        )
    return url.path
