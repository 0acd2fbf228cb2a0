"""The name, the region and the profile of a target, from the configuration or from the settings of the SDK."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import boto3
import botocore
import botocore.exceptions as boto_errors

from exporter.aws.sdk_settings import sdk_settings_error, setting_problems
from exporter.config import REGION
from exporter.errors import StartupError
from exporter.providers.registry import DEFAULT_SERVICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.config import TargetConfig


def target_name(target: TargetConfig) -> str:
    """Return the name of a target; by default its region, with the service if that is not the default one.

    Raise StartupError if the target has neither a name nor a region.
    """
    if target.name:
        return target.name
    region, service = target_region(target), target.service
    return region if service is DEFAULT_SERVICE else f"{region}/{service.name}"


def require_different_names(targets: Sequence[TargetConfig]) -> None:
    """Raise StartupError if two targets have the same name.

    The configuration file shows this only if it has both regions. A target without one has that of the SDK.
    """
    first_targets: dict[str, int] = {}
    for number, name in enumerate(map(target_name, targets), start=1):
        if name in first_targets:
            raise StartupError(f"targets {first_targets[name]} and {number} are both named {name}: set different names")
        first_targets[name] = number


def target_region(target: TargetConfig) -> str:
    """Return the region of a target, or else of the SDK. Raise StartupError if there is none."""
    # Containers and functions of AWS have AWS_REGION. boto3 is the only SDK that does not read it.
    region = target.region or os.environ.get("AWS_REGION")
    if target.profile or not region:  # this reports a missing profile, even if the region is known
        sdk_region = _sdk_region(target)
        region = region or sdk_region
    if not region:
        raise StartupError(f"{_subject(target)} has no region: set `region` in the configuration, or AWS_REGION")
    if not re.fullmatch(REGION, region):
        raise StartupError(f"{_subject(target)}: {region!r} in the environment is not a region: write it as us-east-1")
    return region


def role_account(target: TargetConfig) -> str | None:
    """Return the account of the role to assume, from its ARN; None without a role."""
    return target.role_arn.split(":")[4] if target.role_arn else None


def require_profile(target: TargetConfig) -> None:
    """Raise StartupError if the profile of a target or of the environment cannot be used.

    It may not exist, or a file with the profiles cannot be parsed.
    """
    _sdk_region(target)


def require_botocore(target: TargetConfig) -> None:
    """Raise StartupError if botocore is too old for the service of a target."""
    service, installed = target.service, botocore.__version__
    if _version(installed) < _version(service.least_botocore):
        needed = f"{service.title} needs {service.least_botocore} or newer"
        raise StartupError(f"{_subject(target)}: botocore {installed} is too old: {needed}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall("[0-9]+", text)[:3])


def require_sdk_settings(target: TargetConfig) -> None:
    """Raise StartupError if a setting of the SDK has a value that cannot be used."""
    if problems := setting_problems(target):
        raise StartupError(f"{_subject(target)}: {'; '.join(problems)}")


def _sdk_region(target: TargetConfig) -> str | None:
    try:
        region: str | None = boto3.Session(profile_name=target.profile).region_name
    except boto_errors.BotoCoreError as error:
        raise StartupError(f"{_subject(target)}: {sdk_settings_error(target, error)}") from error
    return region


def _subject(target: TargetConfig) -> str:
    return f"target {target.name}" if target.name else "the target"
