"""The environment of all page templates: filters for texts of any origin, the style, and the policy."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import UTC, datetime
from functools import cache, cached_property
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from exporter.status.formatting import format_duration, format_time, percentage
from exporter.status.indexes import NEAR_LIMIT
from exporter.status.query import CONTAINERS, STATES
from exporter.status.resources import container_noun, containers_of, document_kinds, service_of
from exporter.web.page.charts import BARS, HEIGHT, STEP, WIDTH, bars, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

    from jinja2 import Environment, Template

# Invisible characters: control and formatting characters, which can change the text around them, and lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


class PageTemplate:
    """A template with the style of all pages, its script, and the policy that allows only these. Thread-safe."""

    def __init__(self, name: str, links: Mapping[str, str], root: str, script: str = "") -> None:
        """Use a template, which is compiled for the first page.

        `links` are the paths of other pages of this server by their names. `root` is the address of the status page,
        which ends with a slash. It is relative where proxies may have any prefix.
        """
        self._name = name
        style, script = _template_text("style.css"), _template_text(script) if script else ""
        self._common = {
            "style": trusted(style),
            "script": trusted(script),
            "root": root,
            "links": {label: root + quote(path.removeprefix("/")) for label, path in links.items()},
        }
        self.content_security_policy = "; ".join(
            [
                "default-src 'none'",
                f"style-src {_hash(style)}",
                *([f"script-src {_hash(script)}", "connect-src 'self'"] if script else []),
                "img-src data:",
                "form-action 'self'" if script else "form-action 'none'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            ]
        )

    @cached_property
    def _template(self) -> Template:
        return _environment().get_template(self._name)

    def render(self, **values: object) -> bytes:
        """Return the page for these values."""
        return "".join(self.parts(**values)).encode()

    def parts(self, **values: object) -> Iterator[str]:
        """Yield the page for these values in parts, for a page that takes long."""
        return self._template.generate(**self._common, **values)


def compile_templates() -> None:
    """Compile all templates in advance, because this takes a tenth of a second."""
    environment = _environment()
    for name in environment.list_templates(extensions=("html",)):
        environment.get_template(name)


def package_files(folder: str) -> Traversable:
    """Return a folder of this package, which may be in an archive."""
    return files("exporter.web.page").joinpath(folder)


def trusted(text: str) -> Markup:
    """Return a text of this package as markup."""
    return Markup(text)  # noqa: S704 (files of this package)  # nosec B704


@cache
def _environment() -> Environment:
    """Return the environment of the templates, which compiles each once."""
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 (a start does not wait for it)

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
        "minute": format_time,
        "number": _number,
        "megabytes": _megabytes,
    }
    environment.globals |= {
        "bars": bars,
        "seconds_of": seconds_of,
        "states": STATES,
        "container_words": CONTAINERS,
        "container_noun": container_noun,
        "containers_of": containers_of,
        "document_kinds": document_kinds,
        "service_of": service_of,
        "near_limit": NEAR_LIMIT,
        "chart": {"bars": BARS, "width": BARS * STEP, "height": HEIGHT, "bar_width": WIDTH},
    }
    return environment


def _template_text(name: str) -> str:
    return package_files("templates").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _make_visible(value: object) -> object:
    """Return a text with invisible characters replaced by their code points, because it may come from anyone."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _INVISIBLE.sub(lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", value.replace("\r\n", "\n"))
    return value


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
