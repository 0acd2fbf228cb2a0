"""Write the runbooks of each service's alerts from templates that all services share.

A template `runbooks/templates/KIND.md.jinja` has the placeholders of the rules' templates, and commands of the AWS CLI.
Runbooks about the exporter itself are written by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import FileSystemLoader

from exporter.domain.service import Use
from exporter.providers.registry import SERVICES
from exporter.rules.renderer import alert_names
from exporter.rules.scopes import ServiceScope
from exporter.rules.templates import template_environment

if TYPE_CHECKING:
    from exporter.domain.service import Service

RUNBOOKS = Path(__file__).parent / "runbooks"
TEMPLATES = RUNBOOKS / "templates"
ENDING = ".md.jinja"
_FAILED = ("FAILED", "UNSUCCESSFUL")


def runbook_texts() -> dict[Path, str]:
    """Return the Markdown of each runbook of a service's alert by its path."""
    environment, names = template_environment(FileSystemLoader(TEMPLATES)), set(alert_names())
    return {
        RUNBOOKS / f"{name}.md": environment.get_template(template.name).render(alert=name, **_values(service, names))
        + "\n"
        for service in SERVICES.values()
        for template in sorted(TEMPLATES.glob(f"*{ENDING}"))
        if (name := service.alert(template.name.removesuffix(ENDING))) in names
    }


def _values(service: Service, names: set[str]) -> dict[str, object]:
    """Return the values of the placeholders, except the name of the alert."""
    healthy = service.healthy_source_statuses
    return {
        **ServiceScope(service).values,
        **_commands(service),
        "level_id": service.container.key.upper(),
        "healthy_source": healthy[0],
        "healthy_container": " or ".join(service.healthy_container_statuses),
        "failed_container": ", ".join(status for status in service.container_statuses if status.endswith(_FAILED)),
        "other_statuses": ", ".join(status for status in service.source_statuses if status not in healthy),
        "has_alert": lambda kind: service.alert(kind) in names,
        "link": lambda kind: f"[{service.alert(kind)}]({service.alert(kind)}.md)",
    }


def _commands(service: Service) -> dict[str, object]:
    """Return the commands of the AWS CLI that runbooks contain."""
    terms = service.terms
    container, source = _options(service, len(service.containers)), _options(service, len(service.levels))
    return {
        "get_container": f"{service.command(service.action(Use.CONTAINER))} {container}",
        "get_source": f"{service.command(service.action(Use.SOURCE))} \\\n    {source}",
        "list_jobs": f"{service.command(service.action(Use.SYNC_JOBS))} \\\n    {source}",
        "start_sync": f"{service.command(terms.start_sync)} \\\n    {source}",
        "stop_sync": f"{service.command(terms.stop_sync)} \\\n    {source} {terms.job_options}".rstrip(),
        "get_job": _get_job(service, source),
        "failed_in_log": _failed_in_log(service),
        "add_capacity": f"{service.command('UpdateIndex')} {container} {terms.capacity_options}",
    }


def _get_job(service: Service, source: str) -> str:
    """Return the command that reads one sync job; empty if the service has none, and lists jobs in full."""
    if not service.has(Use.SYNC_JOB):
        return ""
    return f"{service.command(service.action(Use.SYNC_JOB))} \\\n    {source} {service.terms.job_options}"


def _failed_in_log(service: Service) -> str:
    """Return the command that lists the failed documents of syncs; empty if the log group of the service is unknown."""
    ids = {level.key: level.key.upper() for level in service.levels}
    group, stream = service.console.log_group, service.console.log_stream
    if group is None or stream is None:
        return ""
    streams = stream.removesuffix("{execution_id}").format(**ids)
    return (
        f"aws logs filter-log-events --log-group-name {group.format(**ids)} \\\n"
        f"    --log-stream-name-prefix {streams} --filter-pattern '\"FAILED\"' --max-items 20"
    )


def _options(service: Service, depth: int) -> str:
    """Return the options with the ids of a resource and of what contains it; the ids are placeholders in capitals."""
    *containers, own = (level.key for level in service.levels[:depth])
    options = [*((key, key) for key in containers), (service.terms.own_id or own, own)]
    return " ".join(f"--{option.replace('_', '-')} {key.upper()}" for option, key in options)
