"""Renders the rules of a service from the templates in `templates/SERVICE/`.

A template NAME.yaml is a list of rule groups. A template NAME/ALERT.yaml is one alert of the group NAME. Both are in
the format of Prometheus rule files. `{{ }}` is left to Prometheus, so the placeholders here are `[[ ]]`, and the
statements `[% %]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from textwrap import indent

from jinja2 import Environment, PackageLoader, StrictUndefined

RUNBOOKS = "https://github.com/example/qbusiness-exporter/blob/main/docs/runbooks/"


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """The choices of a user about the rules."""

    service: str = "qbusiness"


class RuleRenderer:
    """Renders the rules of one service."""

    def __init__(self, options: RuleOptions) -> None:
        self._environment = Environment(  # noqa: S701 (the output is YAML)  # nosec B701
            loader=PackageLoader("exporter.rules"),
            undefined=StrictUndefined,
            block_start_string="[%",
            block_end_string="%]",
            variable_start_string="[[",
            variable_end_string="]]",
            comment_start_string="[#",
            comment_end_string="#]",
            trim_blocks=True,
            lstrip_blocks=True,
        )
        found = (PurePosixPath(name) for name in self._environment.list_templates(extensions=["yaml"]))
        self._templates = [path for path in found if path.parts[0] == options.service]

    def files(self) -> dict[str, str]:
        """Return the text of each rule file by its name."""
        return {
            path.name: f"groups:\n{indent(self._groups(path), '  ')}\n" for path in self._templates if _is_file(path)
        }

    def _groups(self, path: PurePosixPath) -> str:
        """Return the groups of one file, as a YAML list."""
        folder = path.with_suffix("")
        alerts = [self._alert(found) for found in self._templates if found.parent == folder]
        return self._environment.get_template(str(path)).render(alerts="\n\n".join(alerts))

    def _alert(self, path: PurePosixPath) -> str:
        return self._environment.get_template(str(path)).render(runbook_url=f"{RUNBOOKS}{path.stem}.md")


def _is_file(path: PurePosixPath) -> bool:
    """Return whether a template is a rule file, and not one of its alerts."""
    return len(path.parts) == 2  # noqa: PLR2004 (SERVICE/NAME.yaml)
