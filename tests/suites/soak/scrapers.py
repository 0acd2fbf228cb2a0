"""Many who scrape one program at once, and look closely at what they get."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException

TEXT, OPENMETRICS = "text/plain;version=0.0.4", "application/openmetrics-text;version=1.0.0"
PATIENCE = 60.0


def fetch(address: tuple[str, int], accept: str = TEXT, encoding: str = "gzip") -> bytes:
    """Give the page as it was before compression; raises OSError or HTTPException where it is not answered whole."""
    connection = HTTPConnection(*address, timeout=PATIENCE)
    try:
        connection.request("GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": encoding})
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return gzip.decompress(body) if response.headers["Content-Encoding"] == "gzip" else body
    finally:
        connection.close()


def what_is_missing(page: bytes, sources: int, accept: str = TEXT) -> str | None:
    """Say what a page has not that it must have, or None."""
    if page.endswith(b"# EOF\n") is not (accept is OPENMETRICS):
        return f"it ends with {page[-80:]!r}"
    shown = page.count(b"\nqbusiness_data_source_info{")
    return None if shown == sources else f"it shows {shown} of {sources} data sources"


class Counters:
    """The lines of all counters of a page, family by family; what is the same on many pages is kept once."""

    def __init__(self) -> None:
        self._kept: dict[bytes, bytes] = {}

    def of(self, page: bytes) -> dict[bytes, bytes]:
        """Give the lines of each counter."""
        families = {}
        for family in page.split(b"# HELP ")[1:]:
            name, kind = family[: family.index(b" ")], family[: family.index(b"\n", family.index(b"\n") + 1)]
            if kind.endswith(b" counter"):
                families[name] = self._kept.setdefault(family, family)
        return families


def fallen(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> list[bytes]:
    """Give the series of counters that are less than they were, or gone."""
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
    """One that scrapes until it is told to stop, and says what was wrong."""

    address: tuple[str, int]
    sources: int
    counters: Counters
    over: threading.Event
    number: int
    pages: int = 0
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin."""
        self.thread = threading.Thread(target=self._scrape, daemon=True)
        self.thread.start()

    def _scrape(self) -> None:
        accept = (TEXT, OPENMETRICS)[self.number % 2]
        encoding = "identity" if self.number % 10 == 0 else "gzip"
        before: dict[bytes, bytes] = {}
        while not (self.over.is_set() and self.pages > 1):
            try:
                page = fetch(self.address, accept, encoding)
            except (OSError, HTTPException, AssertionError) as error:
                self.wrong.append(f"{type(error).__name__}: {error}")
                return
            self.pages += 1
            missing, now = what_is_missing(page, self.sources, accept), self.counters.of(page)
            fell = fallen(before, now)
            self.wrong += [*([missing] if missing else []), *([f"counters fell: {fell[:3]}"] if fell else [])]
            before = now
