"""The settings of targets, metrics and the status page, derived from the configuration in one place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from exporter.aws import role_account, target_name, target_region
from exporter.config import target_digest
from exporter.domain.counting.counting_policy import CountingPolicy
from exporter.domain.service import Use
from exporter.domain.target_identity import ConfiguredTarget
from exporter.domain.units import MINUTE
from exporter.metrics import FamilyFilter, SourceFamilies
from exporter.providers.registry import SERVICES
from exporter.status.data_sources import AssessmentSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.config import Config, PollingConfig, StateConfig, TargetConfig
    from exporter.domain.service import Service

STALE_AFTER = 30 * MINUTE  # as in the alert QBusinessDataStale, or two idle intervals if these are longer


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """All settings of one target; a reload rebuilds a target only if they change."""

    target: TargetConfig
    polling: PollingConfig
    policy: CountingPolicy
    documents_interval: float = 0.0
    """Seconds between two counts of the documents of each data source; 0 for none."""
    objective_tags: frozenset[str] = frozenset()
    """The keys of the tags that objectives match on."""
    idle_interval_with_events: float = 0.0
    """Seconds between two polls of an idle data source while events can be read. Not used by a target without events.

    It depends on whether polling.idle_interval is set, which is not visible when two sections are compared.
    """
    digest: str = field(default="", compare=False)
    """A digest of these settings and of others that do not affect the target here, such as objectives."""

    @property
    def access(self) -> tuple[str | None, ...]:
        """The settings that determine the service, the account and the region of the target."""
        target = self.target
        identity = target.role_arn, target.external_id, target.profile
        return target.service.name, target.region, *identity, target.endpoint_url


def configured_target(settings: TargetSettings) -> ConfiguredTarget:
    """Return the identity of a target that the configuration states; raise StartupError if it has no region."""
    target = settings.target
    name, region = target_name(target), target_region(target)
    return ConfiguredTarget(name, target.service.name, region, role_account(target), settings.digest)


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration in the form that the rest of the program uses."""

    targets: tuple[TargetSettings, ...]
    families: Mapping[Service, SourceFamilies]
    policies: Mapping[Service, CountingPolicy]
    exposed: FamilyFilter
    assessment: AssessmentSettings
    state: StateConfig

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Derive the settings from a valid configuration."""
        window, polling = config.polling.window, config.polling
        has_events = any(target.events for target in config.targets)
        idle_interval = polling.idle_interval_with_events if has_events else polling.idle_interval
        stale_after = max(STALE_AFTER, 2 * idle_interval)
        exposed = FamilyFilter(config.metrics.exclude)
        policies = {service: _counting_policy(config, service) for service in SERVICES.values()}
        return cls(
            targets=tuple(
                TargetSettings(
                    target,
                    polling,
                    policies[target.service],
                    config.documents.interval if target.service.has(Use.DOCUMENTS) else 0.0,
                    config.objective_tags,
                    polling.idle_interval_with_events,
                    target_digest(config, target),
                )
                for target in config.targets
            ),
            families={
                service: SourceFamilies(service, window, config.objectives, exposed) for service in SERVICES.values()
            },
            policies=policies,
            exposed=exposed,
            assessment=AssessmentSettings(window, config.objectives, stale_after),
            state=config.state,
        )


def _counting_policy(config: Config, service: Service) -> CountingPolicy:
    """Return the settings that affect the counting of a service's jobs."""
    return CountingPolicy(config.polling.window, config.metrics.duration_buckets, service.error_codes)
