"""The parts of the Terraform modules that depend on the services: permissions, events, and a variable.

They are in `services.tf` of each module. The variable is among them, because its validation names the services:
Terraform before 1.9 cannot refer to other values in a validation.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.policies import policies
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.domain.service import Service

MODULES = Path(__file__).parent / "terraform"

_NAMES = ", ".join(f'"{name}"' for name in SERVICES)
_CROSS_ACCOUNT_VARIABLE = """\
variable "services" {{
  description = "Services that the role may read: {listed}."
  type        = set(string)
  default     = ["{default}"]
  validation {{
    condition     = length(var.services) > 0 && length(setsubtract(var.services, [{names}])) == 0
    error_message = "services must be one or more of {listed}."
  }}
}}
"""
_EVENTS_VARIABLE = """\
variable "service" {{
  description = "Service of the target: {alternatives}."
  type        = string
  default     = "{default}"
  validation {{
    condition     = contains([{names}], var.service)
    error_message = "service must be {alternatives}."
  }}
}}
"""


def terraform_files(header: str) -> dict[Path, str]:
    """Return the text of each generated file of the modules by its path."""
    permissions = {name: _permissions(service) for name, service in SERVICES.items()}
    events = {name: _events(service) for name, service in SERVICES.items()}
    return {
        MODULES / "cross-account-role" / "services.tf": _file(
            header, _CROSS_ACCOUNT_VARIABLE, "permissions", permissions
        ),
        MODULES / "sync-events" / "services.tf": _file(header, _EVENTS_VARIABLE, "events", events),
    }


def _permissions(service: Service) -> dict[str, str | list[str]]:
    """Return the actions that list and those that read, and the parts of the ARNs of the read resources."""
    listing, reading = policies(service)["discovery with tags"]["Statement"]
    (resource,) = reading["Resource"]
    _, _, iam, _, _, path = resource.split(":", 5)
    return {"list": listing["Action"], "read": reading["Action"], "iam": iam, "resource": path}


def _events(service: Service) -> dict[str, str | list[str]]:
    """Return the source and the names of the events about calls that start or stop a sync."""
    events = service.sync_events
    return {
        "source": events.source,
        "event_source": events.event_source,
        "operations": sorted(service.sync_operations),
    }


def _file(header: str, variable: str, name: str, values: Mapping[str, Mapping[str, str | list[str]]]) -> str:
    *others, last = SERVICES
    listed, alternatives = (f"{', '.join(others)} {word} {last}" for word in ("and", "or"))
    text = variable.format(listed=listed, alternatives=alternatives, names=_NAMES, default=DEFAULT_SERVICE.name)
    return "\n".join((header + text, "locals {", f"  {name} = {{", *_objects(values), "  }", "}", ""))


def _objects(values: Mapping[str, Mapping[str, str | list[str]]]) -> Iterable[str]:
    """Yield the lines of an object of objects, in the form of `terraform fmt`."""
    for name, members in values.items():
        width = max(map(len, members))
        yield f"    {name} = {{"
        yield from (f"      {key:{width}} = {_value(value)}" for key, value in members.items())
        yield "    }"


def _value(value: str | list[str]) -> str:
    quoted = [f'"{each}"' for each in ([value] if isinstance(value, str) else value)]
    return quoted[0] if isinstance(value, str) else f"[{', '.join(quoted)}]"
