"""What a scrape is answered with: bytes rendered when something changes, and joined when asked for.

prometheus_client does the formatting and escaping; this module only knows where one family ends and the next begins.
"""

from __future__ import annotations

import gzip
import math
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from exporter.model import Clock

_EOF = b"# EOF\n"
_FAMILY = re.compile(rb"^(?=# HELP )", re.MULTILINE)
_OPENMETRICS_TYPE = "application/openmetrics-text"
_OPENMETRICS_VERSIONS = ("", ";version=1.0.0", ";version=0.0.1")  # what can be served as 1.0.0
_COMPRESSION = 5  # of gzip: beyond it exposition text hardly shrinks, and takes twice the time


class ServiceClock(Protocol):
    """The clock of the service that a snapshot was read from."""

    def now(self) -> float:
        """Give seconds since the epoch."""


T = TypeVar("T")
Shown_contra = TypeVar("Shown_contra", contravariant=True)


class Families(Protocol[Shown_contra]):
    """The declarations about one kind of thing, as `metrics` has them."""

    def parts(self, snapshot: Shown_contra, /) -> Sequence[object]:
        """Give what each part of the families follows from: where that is the same, so are its samples.

        All but the last may change with time too.
        """

    def collect(self, snapshot: Shown_contra, now: float, part: int, /) -> Sequence[Metric]:
        """Give the samples that one thing has in the families of a part, always the same families in the same order."""

    def next_change(self, snapshot: Shown_contra, now: float, /) -> float | None:
        """Give the time at which time alone changes a sample."""


@dataclass(frozen=True, slots=True)
class _Format:
    content_type: str
    generate: Callable[[_Collected], bytes]


@dataclass(frozen=True, slots=True)
class _Collected:
    """A registry of what is already there, as prometheus_client's renderers want one."""

    metrics: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


_TEXT = _Format(CONTENT_TYPE_PLAIN_0_0_4, generate_latest)
_OPENMETRICS = _Format(CONTENT_TYPE_OPENMETRICS, lambda collected: generate_openmetrics(collected).removesuffix(_EOF))
_FORMATS = (_TEXT, _OPENMETRICS)


@dataclass(frozen=True, slots=True)
class _Rendered(Generic[T]):
    """One thing, ready to be joined: per part and format the sample lines of each family, good until a moment."""

    snapshot: T
    clock: ServiceClock
    sources: Sequence[object]
    parts: tuple[dict[str, tuple[bytes, ...]], ...]
    samples: dict[str, tuple[bytes, ...]]
    until: float


class Section(Generic[T]):
    """The part of the page about one kind of thing: the poll half publishes into it, the scrape half joins it."""

    def __init__(self, families: Families[T], clock: Clock) -> None:
        self._families = families
        self._clock = clock
        self._mutex = threading.Lock()
        self._things: dict[str, _Rendered[T]] = {}
        self._headers: dict[tuple[int, str], tuple[bytes, ...]] = {}
        self._until = math.inf

    def publish(self, key: str, snapshot: T, clock: ServiceClock) -> None:
        """Show a thing as it is now; the next scrape has all of it, and no scrape a part."""
        rendered = self._render(snapshot, clock, self._things.get(key))
        with self._mutex:
            is_new = key not in self._things
            self._things[key] = rendered
            self._until = min(self._until, rendered.until)
            if is_new:
                self._things = dict(sorted(self._things.items()))

    def withdraw(self, key: str) -> None:
        """Show a thing no more."""
        with self._mutex:
            self._things.pop(key, None)

    def join(self, content_type: str) -> bytes:
        """Put the part together, family by family under one header each."""
        self._refresh()
        with self._mutex:
            things = [thing.samples[content_type] for thing in self._things.values()]
            known = sorted(self._headers.items())
        headers = [header for (_, kind), part in known if kind == content_type for header in part]
        families = zip(*things, strict=True) if things else ()
        return b"".join(part for header, samples in zip(headers, families, strict=False) for part in (header, *samples))

    def _render(self, snapshot: T, clock: ServiceClock, before: _Rendered[T] | None) -> _Rendered[T]:
        """Render a thing, but for those parts that are the same as before; a quiet poll changes hardly any."""
        now = clock.now()
        # A clock that was set right shifts every age: to the minute, for it is only known to the second.
        sources = (*self._families.parts(snapshot), round((now - self._clock.monotonic()) / 60))
        if before and (self._clock.monotonic() >= before.until or before.sources[-1] != sources[-1]):
            before = None
        parts = tuple(
            before.parts[number] if before and before.sources[number] == source else self._part(snapshot, now, number)
            for number, source in enumerate(sources[:-1])
        )
        samples = {
            wanted.content_type: tuple(line for part in parts for line in part[wanted.content_type])
            for wanted in _FORMATS
        }
        same = before is not None and before.sources[:-2] == sources[:-2]
        until = before.until if before and same else self._until_change(snapshot, now)
        return _Rendered(snapshot, clock, sources, parts, samples, until)

    def _until_change(self, snapshot: T, now: float) -> float:
        change = self._families.next_change(snapshot, now)
        return math.inf if change is None else self._clock.monotonic() + change - now

    def _part(self, snapshot: T, now: float, number: int) -> dict[str, tuple[bytes, ...]]:
        metrics = self._families.collect(snapshot, now, number)
        samples = {}
        for wanted in _FORMATS:
            headers, samples[wanted.content_type] = _split(wanted.generate(_Collected(metrics)))
            self._headers.setdefault((number, wanted.content_type), headers)
        return samples

    def _refresh(self) -> None:
        """Render anew what time alone has changed since."""
        now = self._clock.monotonic()
        if now < self._until:
            return
        with self._mutex:
            aged = [(key, thing) for key, thing in self._things.items() if thing.until <= now]
        fresh = [(key, old, self._render(old.snapshot, old.clock, None)) for key, old in aged]
        with self._mutex:
            for key, old, new in fresh:
                if self._things.get(key) is old:  # else a poll came in between, and knows better
                    self._things[key] = new
            self._until = min((thing.until for thing in self._things.values()), default=math.inf)


class Exposition:
    """The metrics page: its sections, and the exporter's own metrics behind them."""

    def __init__(self, sections: Sequence[Section[Any]], own: CollectorRegistry) -> None:
        self._sections = sections
        self._own = own

    def render(self, accept: str, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
        """Give the page's body and headers; never waits for a poll."""
        wanted = _OPENMETRICS if _prefers_openmetrics(accept) else _TEXT
        parts = [section.join(wanted.content_type) for section in self._sections]
        parts.append(wanted.generate(_Collected(self._own.collect())))
        if wanted is _OPENMETRICS:
            parts.append(_EOF)
        body = b"".join(parts)
        headers = {"Content-Type": wanted.content_type, "Vary": "Accept, Accept-Encoding"}
        if _qualities(accept_encoding).get("gzip", 0.0) > 0:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, _COMPRESSION, mtime=0)
        return body, headers


def _prefers_openmetrics(accept: str) -> bool:
    qualities = _qualities(accept)
    openmetrics = max(
        (qualities.get(_OPENMETRICS_TYPE + version, 0.0) for version in _OPENMETRICS_VERSIONS), default=0.0
    )
    return openmetrics > 0 and openmetrics >= qualities.get("text/plain", 0.0)


def _qualities(header: str) -> dict[str, float]:
    """Read a header of alternatives (RFC 9110, 12.4.2): the best quality of each, by type and version."""
    qualities: dict[str, float] = {}
    for alternative in header.lower().split(","):
        name, *parameters = (part.strip() for part in alternative.split(";"))
        settings = dict(part.split("=", 1) for part in parameters if "=" in part)
        version = settings.get("version") if name == _OPENMETRICS_TYPE else None
        key = f"{name};version={version}" if version else name
        qualities[key] = max(qualities.get(key, 0.0), _quality(settings.get("q", "1")))
    return qualities


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def _split(page: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Part a page into its families' headers and their sample lines; no sample line can begin like a header."""
    headers, samples = [], []
    for family in _FAMILY.split(page)[1:]:
        lines = family.splitlines(keepends=True)
        body = next((at for at, line in enumerate(lines) if not line.startswith(b"#")), len(lines))
        headers.append(b"".join(lines[:body]))
        samples.append(b"".join(lines[body:]))
    return tuple(headers), tuple(samples)
