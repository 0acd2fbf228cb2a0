"""The configuration: its schema, and a loader that reports every problem of a file with its position."""

from exporter.config.digest import target_digest
from exporter.config.load import Loaded, default, load, parse, require_content
from exporter.config.models import (
    Config,
    DocumentsConfig,
    MetricsConfig,
    ObjectiveConfig,
    PollingConfig,
    StateConfig,
)
from exporter.config.schema import json_schema
from exporter.config.service_models import parse_target
from exporter.config.targets import DataSourceConfig, DiscoveryConfig, EventsConfig, Matcher, TargetConfig
from exporter.config.types import REGION
from exporter.config.web import LoadedWeb, TlsConfig, WebConfig, load_web
from exporter.config.web_types import canonical as canonical_san
from exporter.config.writer import FoundSource, FoundTarget, write

__all__ = [
    "REGION",
    "Config",
    "DataSourceConfig",
    "DiscoveryConfig",
    "DocumentsConfig",
    "EventsConfig",
    "FoundSource",
    "FoundTarget",
    "Loaded",
    "LoadedWeb",
    "Matcher",
    "MetricsConfig",
    "ObjectiveConfig",
    "PollingConfig",
    "StateConfig",
    "TargetConfig",
    "TlsConfig",
    "WebConfig",
    "canonical_san",
    "default",
    "json_schema",
    "load",
    "load_web",
    "parse",
    "parse_target",
    "require_content",
    "target_digest",
    "write",
]
