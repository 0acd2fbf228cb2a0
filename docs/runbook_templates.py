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
from exporter.rules import ServiceScope, alert_names, template_environment

if TYPE_CHECKING:
    from exporter.domain.service import Service

RUNBOOKS = Path(__file__).parent / "runbooks"
TEMPLATES = RUNBOOKS / "templates"
ENDING = ".md.jinja"


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
        "healthy_container": service.healthy_container_statuses[0],
        "other_statuses": ", ".join(status for status in service.source_statuses if status not in healthy),
        "failed_documents": service.terms.failed_documents[0].upper() + service.terms.failed_documents[1:],
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
        "stop_sync": f"{service.command(terms.stop_sync)} \\\n    {source} {terms.stop_options}".rstrip(),
        "failed_in_log": f"aws logs filter-log-events --log-group-name {terms.log_group} \\\n"
        f"    --log-stream-name-prefix {terms.log_streams} --filter-pattern '\"FAILED\"' --max-items 20",
        "add_capacity": f"{service.command('UpdateIndex')} {container} {terms.capacity_options}",
    }


def _options(service: Service, depth: int) -> str:
    """Return the options with the ids of a resource and of what contains it; the ids are placeholders in capitals."""
    *containers, own = (level.key for level in service.levels[:depth])
    options = [*((key, key) for key in containers), (service.terms.own_id or own, own)]
    return " ".join(f"--{option.replace('_', '-')} {key.upper()}" for option, key in options)
