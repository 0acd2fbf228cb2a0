"""Checks of the configuration that need more than one value: contradictions, and settings that AWS throttles."""

from __future__ import annotations

from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from exporter.config.objective_match import CONTAINERS
from exporter.config.service_models import service_in_file
from exporter.config.yaml_source import KeyPath, Source
from exporter.domain.durations import format_duration
from exporter.domain.label_names import tag_label
from exporter.domain.quoting import quoted
from exporter.domain.units import HOUR, MINUTE
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config.models import Config
    from exporter.config.targets import TargetConfig


Finding = tuple[KeyPath, str]
"""The path of the invalid value, and the message."""

_CONNECTION = ("service", "region", "role_arn", "profile", "endpoint_url")


def cross_field_errors(source: Source) -> Iterator[Finding]:
    """Yield the contradictions between values.

    The check reads plain data, not the validated configuration, so that it also works when other values are invalid.
    """
    data = source.data if isinstance(source.data, dict) else {}
    yield from _state_errors(data.get("state"))
    yield from _objective_errors(data.get("objectives"))
    targets = data.get("targets")
    if not isinstance(targets, list):
        return
    if not targets:
        yield ("targets",), "targets: an empty list: add a target, or omit the key to use the region of the SDK"
    yield from _duplicate_names(source, targets)
    yield from _duplicate_sources(source, targets)
    yield from _duplicate_queues(source, targets)
    for number, target in _mappings(targets):
        yield from _useless_filters(target, ("targets", number, "discovery"))
        yield from _duplicate_tag_labels(target, ("targets", number, "discovery"))
        if target.get("external_id") is not None and target.get("role_arn") is None:
            yield ("targets", number, "external_id"), "external_id: has no effect without a role: set role_arn"


def _state_errors(state: object) -> Iterator[Finding]:
    """Yield the contradictions between the keys of the state. No message has the URL, which may contain a password."""
    if not isinstance(state, dict):
        return
    has_url, path = state.get("url") is not None, ("state",)
    if has_url and state.get("path") is not None:
        yield (*path, "path"), "path: state.url is set too: remove one of them"
    for key in ("password_file", "iam_auth"):
        if state.get(key) and not has_url:
            yield (*path, key), f"{key}: has no effect without a database: set url"
    if state.get("password_file") and state.get("iam_auth") is True:
        yield (*path, "iam_auth"), "iam_auth: password_file is set too: remove one of them"
    if _has_password(state.get("url")) and (state.get("password_file") or state.get("iam_auth") is True):
        yield (*path, "url"), "url: contains a password, although the password comes from elsewhere: remove it"


def _has_password(url: object) -> bool:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        return False
    return bool(parts and (parts.password or "password" in parse_qs(parts.query)))


def _objective_errors(objectives: object) -> Iterator[Finding]:
    """Yield the matches of objectives that cannot match a data source of any service."""
    for number, objective in _mappings(objectives):
        match, path = objective.get("match"), ("objectives", number, "match")
        glob = match.get("service") if isinstance(match, dict) else None
        if not isinstance(match, dict) or not isinstance(glob, str):
            continue
        services = [service for name, service in SERVICES.items() if fnmatchcase(name, glob)]
        if not services:
            yield (*path, "service"), f"service: {quoted(glob)} matches no service: {', '.join(SERVICES)}"
        words = {level.word for service in services for level in service.containers}
        for key in (key for key in match if services and key in CONTAINERS - words):
            names = " and ".join(service.name for service in services)
            yield (*path, key), f"{key}: not a key of service {names}: use {', '.join(sorted(words))}"


def _mappings(entries: object) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the entries of a list that are mappings, with their positions; an empty entry counts as a mapping."""
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict | None):
            yield number, entry or {}


def _duplicate_names(source: Source, targets: list[object]) -> Iterator[Finding]:
    paths: dict[str, KeyPath] = {}
    for number, target in _mappings(targets):
        name = target.get("name") or _default_name(target)
        if not isinstance(name, str):
            continue
        path: KeyPath = ("targets", number, "name") if target.get("name") else ("targets", number)
        if name in paths:
            line = source.line(paths[name])
            yield path, f"name: {quoted(name)} is also the name of the target in line {line}: set different names"
        paths.setdefault(name, path)


def _default_name(target: dict[str, Any]) -> object:
    region = target.get("region") or "the region of the SDK"
    service = service_in_file(target)
    return region if service is DEFAULT_SERVICE else f"{region}/{service.name}"


def _duplicate_sources(source: Source, targets: list[object]) -> Iterator[Finding]:
    paths: dict[tuple[str, ...], KeyPath] = {}
    for number, target in _mappings(targets):
        service = service_in_file(target)
        for position, entry in _mappings(target.get("data_sources")):
            ids = [entry.get(level.key) for level in service.levels]
            if not all(isinstance(identifier, str) for identifier in ids):
                continue
            path: KeyPath = ("targets", number, "data_sources", position)
            identity = (service.name, *map(str, ids))
            if identity in paths:
                line = source.line(paths[identity])
                yield path, f"data_sources: this data source is already in line {line}: remove one of them"
            paths.setdefault(identity, path)


def _duplicate_queues(source: Source, targets: list[object]) -> Iterator[Finding]:
    """Yield the queues that two targets read, because SQS delivers a message to only one of them."""
    paths: dict[str, KeyPath] = {}
    for number, target in _mappings(targets):
        events = target.get("events")
        url = events.get("queue_url") if isinstance(events, dict) else None
        if not isinstance(url, str):
            continue
        path: KeyPath = ("targets", number, "events", "queue_url")
        if url in paths:
            yield path, f"queue_url: also the queue of a target in line {source.line(paths[url])}: set different queues"
        paths.setdefault(url, path)


def _useless_filters(target: dict[str, Any], path: KeyPath) -> Iterator[Finding]:
    discovery = target.get("discovery")
    words = [level.word for level in service_in_file(target).levels]
    for key in ("include", "exclude"):
        for position, matcher in _mappings(discovery.get(key) if isinstance(discovery, dict) else None):
            if not any(value not in (None, {}) for value in matcher.values()):
                message = f"{key}: matches everything: set {', '.join(words)}, type or tags"
                yield (*path, key, position), message


def _duplicate_tag_labels(target: dict[str, Any], path: KeyPath) -> Iterator[Finding]:
    discovery = target.get("discovery")
    keys = discovery.get("tag_labels") if isinstance(discovery, dict) else None
    first_tags: dict[str, str] = {}
    for position, tag in enumerate(keys if isinstance(keys, list) else []):
        if not isinstance(tag, str) or not tag:
            continue
        label = tag_label(tag)
        if label in first_tags:
            tags = f"{quoted(first_tags[label])} and {quoted(tag)}"
            message = f"tag_labels: {tags} result in the same label {label}: remove one of them"
            yield (*path, "tag_labels", position), message
        first_tags.setdefault(label, tag)


def find_warnings(config: Config) -> Iterator[Finding]:
    """Yield the settings that work, but probably not as the operator expects."""
    polling = config.polling
    if not all(_is_loopback(target.endpoint_url) for target in config.targets):
        for key in ("interval", "idle_interval"):
            if getattr(polling, key) < 10:  # noqa: PLR2004 (seconds, as the message states)
                yield ("polling", key), f"{key}: AWS throttles requests at intervals below 10s; 1m and 5m are enough"
        if polling.requests_per_second > 10:  # noqa: PLR2004 (the message states a safe value)
            message = "requests_per_second: AWS throttles at a rate that it does not publish; 5 is safe"
            yield ("polling", "requests_per_second"), message
        if 0 < config.documents.interval < HOUR:
            message = "interval: each count lists all documents; 6h is enough to notice documents that remain failed"
            yield ("documents", "interval"), message
    if polling.idle_interval < polling.interval:
        idle, active = format_duration(polling.idle_interval), format_duration(polling.interval)
        message = f"idle_interval: idle data sources are polled more often than active ones, every {idle}, not {active}"
        yield ("polling", "idle_interval"), message
    has_events = any(target.events for target in config.targets)
    if polling.window < (polling.idle_interval_with_events if has_events else polling.idle_interval):
        message = "window: shorter than idle_interval, so a job can start and leave the window between two polls"
        yield ("polling", "window"), message
    for number, target in enumerate(config.targets):
        yield from _target_warnings(target, number)
        if any(_overlap(target, earlier) for earlier in config.targets[:number]):
            message = "targets: an earlier target finds the same data sources, and polls all that both find"
            yield ("targets", number), message


def _target_warnings(target: TargetConfig, number: int) -> Iterator[Finding]:
    if target.discovery and target.discovery.interval < MINUTE and not _is_loopback(target.endpoint_url):
        yield ("targets", number, "discovery", "interval"), "interval: below 1m, discovery sends most of the requests"
    queue_url = target.events.queue_url if target.events else None
    for path, url in ((("endpoint_url",), target.endpoint_url), (("events", "queue_url"), queue_url)):
        if (url or "").lower().startswith("http://") and not _is_loopback(url):
            message = "without TLS, everyone on the network path can read and change responses: write https://"
            yield ("targets", number, *path), f"{path[-1]}: {message}"
    service = target.service
    if service.regions and target.region and target.region not in service.regions and not target.endpoint_url:
        known = ", ".join(service.regions)
        yield ("targets", number, "region"), f"region: {service.title} is documented for {known} only"


def _is_loopback(url: str | None) -> bool:
    host = urlsplit(url or "").hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _overlap(target: TargetConfig, earlier: TargetConfig) -> bool:
    """Return whether two targets have the same connection, and no filters that may separate their data sources."""
    same_connection = all(getattr(target, key) == getattr(earlier, key) for key in _CONNECTION)
    filters = [(d.include, d.exclude) if d else None for d in (target.discovery, earlier.discovery)]
    same_filters = filters[0] is not None and filters[0] == filters[1]
    return same_connection and (same_filters or ((), ()) in filters)
