"""What no single value shows: parts that contradict each other, and what is unwise against AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.config.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.models import Config, TargetConfig

Finding = tuple[tuple[str | int, ...], str]
"""The path of the value that is at fault, and what to say of it."""

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2")  # where Amazon Q Business is documented to be
_IDS = ("application_id", "index_id", "data_source_id")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def across(data: object) -> Iterator[Finding]:
    """Find contradictions in plain data, whatever else is wrong with it."""
    targets = data.get("targets") if isinstance(data, dict) else None
    if not isinstance(targets, list):
        return
    if not targets:
        yield ("targets",), "targets: an empty list: name a target, or leave the key out for the SDK's own region"
    named: dict[object, int] = {}
    sources: dict[tuple[str, ...], tuple[int, int]] = {}
    for number, target in enumerate(targets):
        if not isinstance(target, dict):
            continue
        yield from _names(target, number, named)
        yield from _sources(target, number, sources)
        yield from _filters(target, number)
        if target.get("external_id") is not None and target.get("role_arn") is None:
            yield ("targets", number, "external_id"), "external_id: without effect; give the role_arn that asks for it"


def _names(target: dict[str, object], number: int, named: dict[object, int]) -> Iterator[Finding]:
    name = target.get("name") or target.get("region") or "the SDK's own region"
    if not isinstance(name, str):
        return
    if name in named:
        place = ("targets", number, "name") if target.get("name") else ("targets", number)
        yield place, f"name: target {named[name] + 1} is called {name!r} too: give each target a name of its own"
    named.setdefault(name, number)


def _sources(target: dict[str, object], number: int, seen: dict[tuple[str, ...], tuple[int, int]]) -> Iterator[Finding]:
    sources = target.get("data_sources")
    for position, source in enumerate(sources if isinstance(sources, list) else []):
        if not isinstance(source, dict) or not all(isinstance(source.get(key), str) for key in _IDS):
            continue
        ids = tuple(str(source[key]) for key in _IDS)
        if ids in seen:
            first, at = seen[ids]
            path = ("targets", number, "data_sources", position)
            yield path, f"data_sources: named before, as entry {at + 1} of target {first + 1}: keep one of them"
        seen.setdefault(ids, (number, position))


def _filters(target: dict[str, object], number: int) -> Iterator[Finding]:
    discovery = target.get("discovery")
    for key in ("include", "exclude"):
        matchers = discovery.get(key) if isinstance(discovery, dict) else None
        for position, matcher in enumerate(matchers if isinstance(matchers, list) else []):
            if matcher in ({}, None):
                path = ("targets", number, "discovery", key, position)
                yield (
                    path,
                    f"{key}: matches everything: give application, index, data_source, type or tags",
                )


def unwise(config: Config) -> Iterator[Finding]:
    """Find what works but does not do what its author may want."""
    polling = config.polling
    if not all(_is_local(target) for target in config.targets):
        for key in ("interval", "idle_interval"):
            if getattr(polling, key) < 10:  # noqa: PLR2004 (seconds; the message says it)
                yield ("polling", key), f"{key}: below 10s AWS throttles long before syncs change; 1m and 5m are enough"
        if polling.requests_per_second > 10:  # noqa: PLR2004 (the message says it)
            message = "requests_per_second: AWS throttles at a rate that it does not publish; 5 is safe"
            yield ("polling", "requests_per_second"), message
    if polling.idle_interval < polling.interval:
        yield (
            ("polling", "idle_interval"),
            (
                f"idle_interval: quiet data sources would be asked oftener than busy ones, "
                f"every {format_duration(polling.idle_interval)} against {format_duration(polling.interval)}"
            ),
        )
    if polling.window < polling.idle_interval:
        yield ("polling", "window"), "window: shorter than idle_interval, so that jobs come and go unseen in it"
    for number, target in enumerate(config.targets):
        yield from _unwise_target(target, number)


def _unwise_target(target: TargetConfig, number: int) -> Iterator[Finding]:
    if target.discovery and target.discovery.interval < 60 and not _is_local(target):  # noqa: PLR2004 (a minute)
        yield ("targets", number, "discovery", "interval"), "interval: below 1m most requests go into looking around"
    if target.region and target.region not in REGIONS and not target.endpoint_url:
        known = ", ".join(REGIONS)
        yield ("targets", number, "region"), f"region: Amazon Q Business is documented for {known} only"


def _is_local(target: TargetConfig) -> bool:
    return bool(target.endpoint_url) and urlsplit(target.endpoint_url).hostname in _LOOPBACK
