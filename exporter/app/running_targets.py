"""The targets that this process runs: the configured targets that it owns."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from exporter.app.handover import Inheritance
from exporter.app.heap import MIN_SOURCES, FrozenStates, without_garbage_collection
from exporter.app.reload import build_changed, replace_targets
from exporter.app.settings import configured_target
from exporter.aws import require_different_names
from exporter.errors import StoppedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from exporter.app.dependencies import SharedServices
    from exporter.app.settings import TargetSettings
    from exporter.app.state import State
    from exporter.app.target import Target
    from exporter.domain.objectives import ObjectiveRule
    from exporter.domain.target_identity import ConfiguredTarget

STOP_GRACE = 2.0  # seconds for which a hand-over waits for polls in progress
EXPOSURE_AFTER_HAND_OVER = 10.0  # seconds for which series stay if the next owner does not expose its own before

logger = structlog.get_logger()


class RunningTargets:
    """Starts, replaces and stops targets, after a reload and after a change of owners. Thread-safe.

    A change of owners is like a reload with the same settings: a target that this process now owns is added, and a
    target that it has lost is removed, in both cases with its own state.
    """

    def __init__(self, settings: Sequence[TargetSettings], state: State, services: SharedServices) -> None:
        """Build the targets that this process owns; raise ExporterError if a target cannot be built."""
        self._services = services
        self._state = state
        self._mutex = services.overrides.host.lock()
        self._settings = settings
        self._leaving: list[tuple[Target, float]] = []
        self._frozen = FrozenStates(services.overrides.host.monotonic)
        require_different_names([each.target for each in settings])
        self.configured = [configured_target(each) for each in settings]
        state.configure(self.configured)
        self.current: list[Target] = build_changed(settings, [], services, state.owned(self.configured))

    def restore(self) -> None:
        """Publish all sources from the state."""
        for target in self.current:
            target.claim()
        for target in self.current:
            target.restore_location(None)
            target.restore(Inheritance())

    def start(self, *, is_one_pass: bool) -> None:
        """Start to poll; `is_one_pass` is for commands that end after the first pass."""
        for target in self.current:
            target.start(is_one_pass=is_one_pass)
        self._remove_unwatched(self.current)
        self._report_owned()

    def apply(self, settings: Sequence[TargetSettings], objectives: tuple[ObjectiveRule, ...]) -> None:
        """Continue with other settings; raise ExporterError, and change nothing, if a target cannot be built."""
        require_different_names([each.target for each in settings])
        with self._mutex:
            if self._services.stopping.is_set():  # a stop has overtaken this reload
                return
            configured = [self._with_known_account(configured_target(each), each) for each in settings]
            targets = build_changed(settings, self.current, self._services, self._state.owned(configured))
            are_objectives_changed = self._services.objectives.use(objectives)
            self._replace(targets, is_reload=True)
            if are_objectives_changed:  # the start of a stricter objective is published before the objective itself
                for target in targets:
                    target.sources.republish_all()
            self._settings, self.configured = settings, configured
            self._state.configure(configured)
            self._report_owned()

    def follow_owners(self) -> None:
        """Start the targets that this process owns now, and stop those that it does not own any more."""
        with self._mutex:
            if self._services.stopping.is_set():
                return
            self._report_owned()
            if self._frozen.is_collection_due() and self._has_many_sources():
                self._frozen.collect()
            owned = self._state.owned(self.configured)
            if not self._leaving and owned == {target.name: target.store for target in self.current}:
                return
            before = [*self.current, *(target for target, _ in self._leaving)]
            self._hand_over([target for target in self.current if target.name not in owned and target.store.is_open])
            with without_garbage_collection():
                targets = build_changed(self._settings, self.current, self._services, owned)
                added = [target for target in targets if target not in self.current]
                self._replace(targets, is_reload=False)
                self._remove_unwatched(added)
                self._freeze(before, added)
            self._report_owned()

    def unready(self) -> str | None:
        """Return why this process does not run all targets that it owns; None once it does."""
        if reason := self._state.unready():
            return reason
        if unreadable := self.unreadable():
            name = min(unreadable)
            return f"target {name} is not polled: its state cannot be read ({unreadable[name]})"
        starting = self.starting()
        return f"target {min(starting)} is being started" if starting else None

    def starting(self) -> AbstractSet[str]:
        """Return the names of the targets that this process owns and does not run yet."""
        return self._state.owned(self.configured).keys() - {target.name for target in self.current}

    def unreadable(self) -> Mapping[str, str]:
        """Return the errors of the targets that are not polled because their state cannot be read."""
        return self._state.unreadable(self.configured)

    def stop(self, deadline: float) -> None:
        """Stop polling until a time on the monotonic clock; the snapshots stay published."""
        with self._mutex:
            self._stop(self.current, deadline)

    def close(self) -> None:
        """Close the clients of AWS."""
        for target in self.current:
            target.aws_client.close()

    def _hand_over(self, targets: Sequence[Target]) -> None:
        """Stop targets that another replica will continue with, and keep their snapshots until it exposes its own."""
        now = self._services.overrides.host.monotonic()
        self._stop(targets, now + STOP_GRACE)
        for target in targets:
            self._state.hand_over(target.store)
        self._leaving += [(target, now + EXPOSURE_AFTER_HAND_OVER) for target in targets]
        self.current = [target for target in self.current if target not in targets]

    @staticmethod
    def _stop(targets: Sequence[Target], deadline: float) -> None:
        for target in targets:
            target.stop()
        for target in targets:
            with suppress(StoppedError):  # another replica owns it by now
                target.join(deadline)

    def _replace(self, targets: list[Target], *, is_reload: bool) -> None:
        """Replace the current targets, and those that were handed over and are exposed by another replica now."""
        now = self._services.overrides.host.monotonic()
        names = {target.name for target in targets}
        ended = [
            target
            for target, until in self._leaving
            if now >= until or target.name in names or self._state.is_continued(target.store)
        ]
        self._leaving = [(target, until) for target, until in self._leaving if target not in ended]
        added = [target for target in targets if target not in self.current]
        replace_targets([*self.current, *ended], targets, self._services, is_reload=is_reload)
        self.current = targets
        for target in added:
            target.store.mark_restored()

    def _freeze(self, before: Sequence[Target], added: Sequence[Target]) -> None:
        """Exclude the states of added targets from garbage collection, and include those of targets that ended."""
        exposed = [*self.current, *(target for target, _ in self._leaving)]
        if any(target not in exposed for target in before):
            self._frozen.targets_lost()
        if added and self._has_many_sources():
            self._frozen.freeze()

    def _has_many_sources(self) -> bool:
        return sum(len(target.sources.ids()) for target in self.current) >= MIN_SOURCES

    def _remove_unwatched(self, targets: Sequence[Target]) -> None:
        for store in {id(target.store): target.store for target in targets}.values():
            watched = {key for target in self.current if target.store is store for key in target.sources.ids()}
            with suppress(StoppedError):
                store.remove_unwatched(watched, self._services.overrides.host.time())

    def _report_owned(self) -> None:
        running = {target.name for target in self.current}
        owned = {target.name: target.name in running for target in self.configured}
        self._services.telemetry.ownership.replace(owned, self.unreadable())

    def _with_known_account(self, target: ConfiguredTarget, settings: TargetSettings) -> ConfiguredTarget:
        """Return a target with the account of a running target that has the same access to AWS."""
        known = (each.location.account for each in self.current if each.settings.access == settings.access)
        account = target.account or next((account for account in known if account), None)
        return replace(target, account=account)
