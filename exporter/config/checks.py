"""What no single value shows: parts that contradict each other, and what is unwise against AWS."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exporter.config.durations import format_duration
from exporter.config.messages import quoted
from exporter.domain.model import tag_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.models import Config, TargetConfig
    from exporter.config.yaml_source import Source

Path = tuple[str | int, ...]
Finding = tuple[Path, str]
"""The path of the value that is at fault, and what to say of it."""

REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2")  # where Amazon Q Business is documented to be
_PLACE = ("region", "role_arn", "profile", "endpoint_url")
_IDS = ("application_id", "index_id", "data_source_id")


def cross_field_errors(source: Source) -> Iterator[Finding]:
    """Find contradictions in plain data, whatever else is wrong with it."""
    targets = source.data.get("targets") if isinstance(source.data, dict) else None
    if not isinstance(targets, list):
        return
    if not targets:
        yield ("targets",), "targets: an empty list: name a target, or leave the key out for the SDK's own region"
    yield from _same_names(source, targets)
    yield from _same_sources(source, targets)
    for number, target in _mappings(targets):
        yield from _filters(target, ("targets", number, "discovery"))
        if target.get("external_id") is not None and target.get("role_arn") is None:
            yield ("targets", number, "external_id"), "external_id: without effect; give the role_arn that asks for it"


def _mappings(entries: object) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give those of a list that are mappings, an entry with nothing behind it too, with their numbers."""
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict | None):
            yield number, entry or {}


def _same_names(source: Source, targets: list[object]) -> Iterator[Finding]:
    named: dict[str, Path] = {}
    for number, target in _mappings(targets):
        name = target.get("name") or target.get("region") or "the SDK's own region"
        if not isinstance(name, str):
            continue
        path: Path = ("targets", number, "name") if target.get("name") else ("targets", number)
        if name in named:
            line = source.line(named[name])
            yield path, f"name: the target in line {line} is called {quoted(name)} too: give each a name of its own"
        named.setdefault(name, path)


def _same_sources(source: Source, targets: list[object]) -> Iterator[Finding]:
    seen: dict[tuple[str, ...], Path] = {}
    for number, target in _mappings(targets):
        for position, entry in _mappings(target.get("data_sources")):
            ids = tuple(entry[key] for key in _IDS if isinstance(entry.get(key), str))
            if len(ids) < len(_IDS):
                continue
            path: Path = ("targets", number, "data_sources", position)
            if ids in seen:
                line = source.line(seen[ids])
                yield path, f"data_sources: this one is named in line {line} already: keep one of them"
            seen.setdefault(ids, path)


def _filters(target: dict[str, Any], path: Path) -> Iterator[Finding]:
    discovery = target.get("discovery")
    for key in ("include", "exclude"):
        for position, matcher in _mappings(discovery.get(key) if isinstance(discovery, dict) else None):
            if not any(value not in (None, {}) for value in matcher.values()):
                message = f"{key}: matches everything: give application, index, data_source, type or tags"
                yield (*path, key, position), message
    keys = discovery.get("tag_labels") if isinstance(discovery, dict) else None
    labels: dict[str, str] = {}
    for position, tag in enumerate(keys if isinstance(keys, list) else []):
        label = tag_label(tag) if isinstance(tag, str) else ""
        if label and label in labels:
            message = (
                f"tag_labels: {quoted(tag)} is shown as {label}, and so is {quoted(labels[label])}: keep one of them"
            )
            yield (*path, "tag_labels", position), message
        labels.setdefault(label, str(tag))


def find_warnings(config: Config) -> Iterator[Finding]:
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
        if any(_overlap(target, earlier) for earlier in config.targets[:number]):
            message = "targets: one before it sees the same data sources, and polls all that both see"
            yield ("targets", number), message


def _unwise_target(target: TargetConfig, number: int) -> Iterator[Finding]:
    if target.discovery and target.discovery.interval < 60 and not _is_local(target):  # noqa: PLR2004 (a minute)
        yield ("targets", number, "discovery", "interval"), "interval: below 1m most requests go into looking around"
    if target.region and target.region not in REGIONS and not target.endpoint_url:
        known = ", ".join(REGIONS)
        yield ("targets", number, "region"), f"region: Amazon Q Business is documented for {known} only"


def _is_local(target: TargetConfig) -> bool:
    host = urlsplit(target.endpoint_url or "").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _overlap(target: TargetConfig, earlier: TargetConfig) -> bool:
    """Tell whether two targets look at the same place with nothing to keep them apart."""
    same_place = all(getattr(target, key) == getattr(earlier, key) for key in _PLACE)
    filters = [(d.include, d.exclude) if d else None for d in (target.discovery, earlier.discovery)]
    alike = filters[0] is not None and filters[0] == filters[1]
    return same_place and (alike or ((), ()) in filters)
