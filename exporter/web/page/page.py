"""The status page as HTML: one file with its own style and script, and nothing from anywhere else."""

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
from exporter.status.query import STATES
from exporter.web.page.charts import BARS, HEIGHT, STEP, WIDTH, bars, seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCES_A_PAGE = 50  # where nobody asks for another number

# Characters that change how others are read, or are none: control and direction characters, halves of pairs.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


class StatusPage:
    """Renders the document of an overview; may be used from several threads at once."""

    def __init__(self, links: Mapping[str, str]) -> None:
        """`links` lead from a name to a path of this server."""
        self._style, self._script = _text("style.css"), _text("script.js")
        self._links = {name: f".{quote(path)}" for name, path in links.items()}  # also behind a proxy's prefix
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
        """Give the page."""
        size = document["page_size"]
        kept = {**document["filters"], "page_size": size if size != SOURCES_A_PAGE else ""}
        style, script = Markup(self._style), Markup(self._script)  # noqa: S704 (our own files)  # nosec B704
        pieces = self._template.generate(
            document=document,
            choices=choices,
            links=self._links,
            style=style,
            script=script,
            address=lambda **changes: _address({**kept, **changes}),
        )
        return "".join(yielding_gil(pieces)).encode()


@cache
def _template() -> Template:
    """Compile the page's template: once, since that takes as long as all the rest of a start."""
    environment = Environment(
        loader=PackageLoader("exporter.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "span": format_duration,
        "percentage": percentage,
        "utc": _utc,
        "iso": _iso,
        "figure": _figure,
        "size": _size,
    }
    environment.globals |= {
        "bars": bars,
        "seconds_of": seconds_of,
        "states": STATES,
        "chart": {"width": BARS * STEP, "height": HEIGHT, "bar": WIDTH},
    }
    return environment.get_template("status.html")


def _text(name: str) -> str:
    return files("exporter.web.page").joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _shown(value: object) -> object:
    """Make what nobody would see visible: an error text may have anything in it."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _INVISIBLE.sub(lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", value.replace("\r\n", "\n"))
    return value


def _address(parameters: Mapping[str, object]) -> str:
    """Give the address of this page with other parameters; those set to nothing are left out."""
    return "?" + urlencode({name: value for name, value in parameters.items() if value})


def _utc(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _iso(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _figure(number: float | None) -> str:
    """Write a figure with thin spaces; a dash is what AWS did not say."""
    return "\u2013" if number is None else f"{number:,}".replace(",", "\u202f")


def _size(count: int | None) -> str:
    """Write bytes in the units that AWS counts an index's text in."""
    return "\u2013" if count is None else f"{count / 1e6:,.0f}\u202fMB".replace(",", "\u202f")
