"""Metrics of the configured targets, and which of them this process polls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from prometheus_client import CollectorRegistry


class OwnershipMetrics:
    """The targets of the configuration, including those that other replicas poll."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._owned = Gauge(
            "qbusiness_exporter_target_owned",
            "1 on the replica that polls the target, 0 on the others.",
            ("target",),
            registry=registry,
        )
        self._readable = Gauge(
            "qbusiness_exporter_target_state_readable",
            "0 on a replica that does not poll the target because it cannot read its saved state, else 1.",
            ("target",),
            registry=registry,
        )
        self._targets: dict[str, tuple[bool, bool]] = {}

    def replace(self, owned: Mapping[str, bool], unreadable: Collection[str]) -> None:
        """Set which of the configured targets this process polls, and which ones have an unreadable state."""
        before = self._targets
        self._targets = {target: (is_owned, target not in unreadable) for target, is_owned in owned.items()}
        for target in before.keys() - owned.keys():
            self._owned.remove(target)
            self._readable.remove(target)
        for target, (is_owned, is_readable) in self._targets.items():  # hundreds of targets, and few change
            if before.get(target) != (is_owned, is_readable):
                self._owned.labels(target).set(is_owned)
                self._readable.labels(target).set(is_readable)
