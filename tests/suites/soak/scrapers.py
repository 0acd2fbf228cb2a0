"""Concurrent scrapers that check every page that they receive."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

TEXT, OPENMETRICS = "text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"
TIMEOUT = 60.0


def fetch(address: tuple[str, int], accept: str = TEXT, encoding: str = "gzip") -> bytes:
    """Return the decompressed page; raise OSError or HTTPException for an incomplete response."""
    connection = HTTPConnection(*address, timeout=TIMEOUT)
    try:
        connection.request("GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": encoding})
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return gzip.decompress(body) if response.headers["Content-Encoding"] == "gzip" else body
    finally:
        connection.close()


def page_problem(page: bytes, sources: int, accept: str = TEXT) -> str | None:
    """Return a description of what a page lacks; None for a complete page."""
    if page.endswith(b"# EOF\n") is not (accept is OPENMETRICS):
        return f"it ends with {page[-80:]!r}"
    exposed = page.count(b"\nqbusiness_data_source_info{")
    return None if exposed == sources else f"it has {exposed} of {sources} data sources"


class CounterParser:
    """A parser of the counters of many pages. It stores text that is equal on several pages once.

    A scraper holds `lock` while it checks a page. If fifty threads parse at the same time, the threads that read get
    too little time, and the exporter drops a client that reads one response for 25 seconds.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._interned: dict[bytes, bytes] = {}

    def parse(self, page: bytes) -> dict[bytes, bytes]:
        """Return the lines of each counter family by its name."""
        families = {}
        for family in page.split(b"# HELP ")[1:]:
            name, header = family[: family.index(b" ")], family[: family.index(b"\n", family.index(b"\n") + 1)]
            if header.endswith(b" counter"):
                families[name] = self._interned.setdefault(family, family)
        return families


def decreased(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> list[bytes]:
    """Return the series of counters that have decreased or disappeared."""
    changed = [name for name, lines in before.items() if after.get(name) is not lines]
    found = []
    for family in changed:
        now = _values(after.get(family, b""))
        found += [name for name, value in _values(before[family]).items() if now.get(name, -1.0) < value]
    return found


def _values(lines: bytes) -> dict[bytes, float]:
    samples = (line.rpartition(b" ") for line in lines.splitlines() if line[:1] != b"#")
    return {name: float(value) for name, _, value in samples if name.endswith(b"}")}


@dataclass
class Scraper:
    """A thread that scrapes without pause until `stop` is set, and records errors.

    The number of the scraper selects its format and compression.
    """

    address: tuple[str, int]
    sources: int
    counters: CounterParser
    stop: threading.Event
    number: int
    pages: int = 0
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the thread."""
        self.thread = threading.Thread(target=self._scrape, daemon=True)
        self.thread.start()

    def _scrape(self) -> None:
        accept = (TEXT, OPENMETRICS)[self.number % 2]
        encoding = "identity" if self.number % 10 == 0 else "gzip"
        before: dict[bytes, bytes] = {}
        while not (self.stop.is_set() and self.pages > 1):
            try:
                page = fetch(self.address, accept, encoding)
            except (OSError, HTTPException, AssertionError) as error:
                self.errors.append(f"{type(error).__name__}: {error}")
                return
            self.pages += 1
            with self.counters.lock:
                problem, now = page_problem(page, self.sources, accept), self.counters.parse(page)
                fallen = decreased(before, now)
            self.errors += [
                *([problem] if problem else []),
                *([f"counters decreased: {fallen[:3]}"] if fallen else []),
            ]
            before = now
