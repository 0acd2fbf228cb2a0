"""Replaces targets when the configuration changes, without a gap in what is exposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from exporter.app.target_builder import build_target
from exporter.aws import target_name
from exporter.target.source_log import source_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.app.dependencies import SharedServices
    from exporter.app.handover import Handover
    from exporter.app.settings import TargetSettings
    from exporter.app.target import Target
    from exporter.domain.model import SourceId

logger = structlog.get_logger()


def build_changed(
    settings: Iterable[TargetSettings], current: Sequence[Target], services: SharedServices
) -> list[Target]:
    """Return the targets of a configuration: unchanged ones as they are, the others built but not yet started.

    Raise ExporterError if one cannot be built; the current targets then continue.
    """
    by_name = {target.name: target for target in current}
    targets = []
    for each in settings:
        before = by_name.get(target_name(each.target))
        is_unchanged = before is not None and before.settings == each
        targets.append(before if before and is_unchanged else build_target(each, services, before))
    return targets


def replace_targets(current: Sequence[Target], targets: list[Target], services: SharedServices) -> None:
    """Stop the targets that are not in the new list, and start those that are new in it.

    A source that moves from one target to another is detached before it is adopted, so that it is polled once and its
    series never disappear. What no target adopts is removed at the end.
    """
    replaced = [target for target in current if target not in targets]
    new = [target for target in targets if target not in current]
    names = {target.name for target in targets}
    handovers = _detach(replaced, names, services)
    for target in new:
        target.claim()
    for target in new:
        target.restore(handovers)
    for handover in handovers.values():
        _remove(handover, services)
    published = {index for target in targets for index in target.reconciler.published()}
    for target in replaced:
        if target.name not in names:
            target.remove_from_page(published)
    for target in new:
        target.start()
    _log(replaced, new, targets)


def _detach(replaced: Iterable[Target], names: set[str], services: SharedServices) -> dict[SourceId, Handover]:
    handovers: dict[SourceId, Handover] = {}
    for target in replaced:
        detached = target.stop_and_detach()
        handovers |= detached
        if target.name not in names:
            for source in detached:
                services.ownership.release(source, target.name)
    return handovers


def _remove(handover: Handover, services: SharedServices) -> None:
    """Remove a source that no target continues with."""
    source = handover.state.source
    services.ownership.release(source.id, handover.target)
    if services.ownership.owner(source.id) is None:
        services.sources.remove(str(source.id))
        logger.info("data source removed", **source_fields(source))
        services.store.save_source(str(source.id), None)


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
