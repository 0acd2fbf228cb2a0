"""Replaces targets when the configuration changes, without a gap in the exposition."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from exporter.app.predecessors import Predecessors
from exporter.app.target_builder import build_target
from exporter.aws import target_name
from exporter.errors import StoppedError
from exporter.target.source_log import source_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from exporter.app.dependencies import SharedServices
    from exporter.app.handover import Handover
    from exporter.app.settings import TargetSettings
    from exporter.app.target import Target
    from exporter.domain.model import DataSource, SourceId
    from exporter.store.table_store import TableStore

logger = structlog.get_logger()


def build_changed(
    configured: Sequence[TargetSettings],
    current: Sequence[Target],
    services: SharedServices,
    owned: Mapping[str, TableStore],
) -> list[Target]:
    """Return the owned targets of a configuration: unchanged targets as they are, the others built but not yet started.

    `owned` has the state of each target that this process owns, by name. If the state of a target is another object
    than before, another replica has owned the target in between, so it is built again.

    A target is also built again if a changed, removed or new target has the same access to AWS, or the same account and
    region. It may have to adopt data sources of that target, or to release some that the other target names. Raise
    ExporterError if a target cannot be built; the current targets then continue.
    """
    settings = [each for each in configured if target_name(each.target) in owned]
    before = [target.settings for target in current if target.store is owned.get(target.name, target.store)]
    changed = {each.access for each in (*before, *settings) if each not in before or each not in settings}
    places = {target.location.known for target in current if target.settings.access in changed} - {None}
    kept = {
        target.name: target
        for target in current
        if target.settings.access not in changed
        and target.location.known not in places
        and target.store is owned.get(target.name)
    }
    replaced = [target for target in current if target.name not in kept]
    targets = []
    for each in settings:
        target = kept.get(target_name(each.target))
        if target is None or target.settings != each:
            store = owned[target_name(each.target)]
            target = build_target(each, services, store, _take_predecessor(each, replaced))
        targets.append(target)
    return targets


def _take_predecessor(settings: TargetSettings, replaced: list[Target]) -> Target | None:
    """Return the target whose rate limiter and clock the new one uses, and remove it from the list.

    This is the target with the same access to AWS, or else the one with the same name.
    """
    name = target_name(settings.target)
    ranked = {target: (target.settings.access == settings.access, target.name == name) for target in replaced}
    best = max(replaced, key=ranked.__getitem__, default=None)
    if best is None or not any(ranked[best]):
        return None
    replaced.remove(best)
    return best


def replace_targets(
    current: Sequence[Target], targets: list[Target], services: SharedServices, *, is_reload: bool
) -> None:
    """Stop the targets that are not in the new list, and start those that are new in it.

    A source that moves from one target to another is detached before it is adopted. So it is polled by one target at a
    time, and its series never disappear. Sources that no target adopts are removed at the end.

    A target is not continued if another replica may own it by now, or may have owned it in between. Its states here may
    be older than those in the database, from which a new target starts.
    """
    replaced = [target for target in current if target not in targets]
    new = [target for target in targets if target not in current]
    stores = [target.store for target in targets]
    continued = [target for target in replaced if target.store in stores]
    lost = _detach([target for target in replaced if target.store not in stores], services)
    before = Predecessors(current, continued, _detach(continued, services), is_reload=is_reload)
    for target in new:
        target.claim()
    for target in new:
        with suppress(StoppedError):  # another replica has taken over meanwhile, so the next call replaces the target
            target.restore_location(before.location_of(target))
            target.restore(before.inheritance_of(target))
    for source in _remove_unclaimed([*lost.values(), *before.handovers.values()], services):
        if source.id in before.handovers:
            logger.info("data source removed", **source_fields(source))
            before.handovers[source.id].store.remove_source(str(source.id))
    _remove_from_page(replaced, targets, services)
    for target in new:
        target.start()
    if is_reload:
        _log(replaced, new, targets)


def _detach(replaced: Sequence[Target], services: SharedServices) -> dict[SourceId, Handover]:
    handovers: dict[SourceId, Handover] = {}
    for target in replaced:
        detached = target.stop_and_detach()
        handovers |= detached
        for source in detached:
            services.ownership.release(source, target.name)
    return handovers


def _remove_unclaimed(handovers: Iterable[Handover], services: SharedServices) -> Iterator[DataSource]:
    """Remove the sources that no target continues with from the exposition, and yield them."""
    for handover in handovers:
        source = handover.state.source
        if services.ownership.owner(source.id) is None:
            services.published.sources(source.id.service).remove(str(source.id))
            services.published.containers(source.id.service).remove_source(source.id)
            yield source


def _remove_from_page(replaced: Sequence[Target], targets: Sequence[Target], services: SharedServices) -> None:
    """Remove the indexes that no target exposes any more, and the series of targets that no target continues."""
    published = {index for target in targets for index in target.reconciler.published()}
    names = {target.name for target in targets}
    for target in replaced:
        for index in target.reconciler.published().keys() - published:
            services.published.containers(index.service).remove(index)
        if target.name not in names:
            services.telemetry.remove_target(target.name)


def _log(replaced: Sequence[Target], new: Sequence[Target], targets: Sequence[Target]) -> None:
    before, names = {target.name for target in replaced}, {target.name for target in targets}
    logger.info(
        "configuration applied",
        targets=len(targets),
        data_sources=sum(target.workers.watched() for target in targets),
        added=[target.name for target in new if target.name not in before],
        changed=[target.name for target in new if target.name in before],
        removed=[target.name for target in replaced if target.name not in names],
    )
