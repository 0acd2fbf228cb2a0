"""The status page, rendered from templates into one HTML document with its own style and script."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from exporter.status import format_duration, yielding_gil
from exporter.status.formatting import percentage
from exporter.status.indexes import NEAR_LIMIT
from exporter.status.query import STATES
from exporter.web.page.charts import BARS, HEIGHT, STEP, WIDTH, bars, seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PAGE_SIZE = 50  # data sources

# Invisible characters: control and formatting characters, which can change the text around them, and lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


class StatusPage:
    """Renders status documents. Thread-safe."""

    def __init__(self, links: Mapping[str, str]) -> None:
        """Compile the template; `links` are the paths of other pages of this server by their names."""
        self._style, self._script = _text("style.css"), _text("script.js")
        self._links = {name: f".{quote(path)}" for name, path in links.items()}  # relative, for proxies with a prefix
        self.content_security_policy = "; ".join(
            [
                "default-src 'none'",
                f"style-src {_hash(self._style)}",
                f"script-src {_hash(self._script)}",
                "connect-src 'self'",
                "img-src data:",
                "form-action 'self'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            ]
        )
        self._template = _template()

    def render(self, document: dict[str, Any], choices: Mapping[str, list[str]]) -> bytes:
        """Return the page for a document; `choices` are the applications and types to filter by."""
        size = document["page_size"]
        current = {**document["filters"], "page_size": size if size != DEFAULT_PAGE_SIZE else ""}
        style, script = Markup(self._style), Markup(self._script)  # noqa: S704 (files of this package)  # nosec B704
        pieces = self._template.generate(
            document=document,
            choices=choices,
            links=self._links,
            style=style,
            script=script,
            address=lambda **changes: _address({**current, **changes}),
        )
        return "".join(yielding_gil(pieces)).encode()


@cache
def _template() -> Template:
    """Compile the template of the page once. This takes as long as the rest of the exporter's start."""
    environment = Environment(
        loader=PackageLoader("exporter.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_make_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": format_duration,
        "percentage": percentage,
        "utc": _utc,
        "iso": _iso,
        "number": _number,
        "megabytes": _megabytes,
    }
    environment.globals |= {
        "bars": bars,
        "seconds_of": seconds_of,
        "states": STATES,
        "near_limit": NEAR_LIMIT,
        "chart": {"bars": BARS, "width": BARS * STEP, "height": HEIGHT, "bar_width": WIDTH},
    }
    return environment.get_template("status.html")


def _text(name: str) -> str:
    return files("exporter.web.page").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _make_visible(value: object) -> object:
    """Return a text with its invisible characters replaced by their code points: it may come from anywhere."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _INVISIBLE.sub(lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", value.replace("\r\n", "\n"))
    return value


def _address(parameters: Mapping[str, object]) -> str:
    """Return the relative address of this page with a query string; empty parameters are left out."""
    return "?" + urlencode({name: value for name, value in parameters.items() if value})


def _utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _iso(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _number(number: float | None) -> str:
    """Return a number with thin spaces between thousands; a dash for a value that AWS does not report."""
    return "\u2013" if number is None else f"{number:,}".replace(",", "\u202f")


def _megabytes(count: int | None) -> str:
    """Return bytes in the unit of the text limits of indexes."""
    return "\u2013" if count is None else f"{count / 1e6:,.0f}\u202fMB".replace(",", "\u202f")
