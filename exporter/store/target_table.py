"""The state of targets: accounts, when they were first watched, and when first polls of their sources began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.store.kv_table import KvTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.store.row_changes import Row

_ATTEMPTED = "attempted/"
_RESOLUTION = 0.001  # the minimum time between two attempts, in seconds


class TargetTable(KvTable):
    """The table `target`, whose keys begin with the kind of the value. Not thread-safe."""

    def __init__(self) -> None:
        super().__init__("target")
        self._latest_attempt = float("-inf")

    def load(self, rows: Iterable[Row]) -> None:
        """Continue with the rows of a database."""
        super().load(rows)
        times = (self.attempted_at(source) for source in self.attempted_sources())
        self._latest_attempt = max((time for time in times if time is not None), default=float("-inf"))

    def watched_since(self, identity: str) -> float | None:
        """Return when a target was first watched, on AWS's clock."""
        return self._time(f"watched since/{identity}")

    def put_watched_since(self, identity: str, moment: float) -> None:
        """Replace the time at which a target was first watched."""
        self.put(f"watched since/{identity}", repr(moment))

    def account(self, target: str) -> str | None:
        """Return the account of the target with a name."""
        return self.get(f"account/{target}")

    def put_account(self, target: str, account: str, identity: str) -> None:
        """Replace the account of the target with a name, and so the identity of the target.

        Older files store the time at which a target was first watched under its name. This time belongs to the target
        if the file has the same account for the name, or none.
        """
        before = self.account(target) or account
        since = self.get(f"watched since/{target}")
        if since is not None:
            self.put(f"watched since/{target}", None)
            if before == account and self.watched_since(identity) is None:
                self.put(f"watched since/{identity}", since)
        self.put(f"account/{target}", account)

    def attempted_at(self, source: str) -> float | None:
        """Return when a process last began its first poll of a data source, on the host's clock."""
        return self._time(_ATTEMPTED + source)

    def put_attempt(self, source: str, moment: float) -> None:
        """Replace the time at which a process last began its first poll of a data source.

        Each attempt is stored as later than all earlier ones, so that their order is known even if the host's clock was
        set back.
        """
        self._latest_attempt = max(moment, self._latest_attempt + _RESOLUTION)
        self.put(_ATTEMPTED + source, repr(self._latest_attempt))

    def remove_attempt(self, source: str) -> None:
        """Delete the time at which a process last began its first poll of a data source."""
        self.put(_ATTEMPTED + source, None)

    def attempted_sources(self) -> list[str]:
        """Return the data sources that have a time of an attempt."""
        return [key.removeprefix(_ATTEMPTED) for key, _ in self.items() if key.startswith(_ATTEMPTED)]

    def _time(self, key: str) -> float | None:
        text = self.get(key)
        return float(text) if text else None
