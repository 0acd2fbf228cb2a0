"""Loads and renders the templates of the rules.

`templates/exporter/` has the rules about the exporter itself, and `templates/service/` the rules of each service.
FOLDER/NAME.yaml is a list of rule groups, and FOLDER/NAME/ALERT.yaml is one alert of these groups. Both are in the
format of Prometheus rule files. Prometheus uses `{{ }}`, so the placeholders here are `[[ ]]`, and the statements `[%
%]`. `macros.jinja` has the common parts of alerts about data sources.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import BaseLoader


class Templates:
    """Loads templates once, and renders them with the values of their placeholders."""

    def __init__(self) -> None:
        self._environment = template_environment(PackageLoader("exporter.rules"))

    def in_folder(self, folder: PurePosixPath) -> list[PurePosixPath]:
        """Return the paths of the templates directly in a folder, in alphabetical order."""
        paths = map(PurePosixPath, self._environment.list_templates(extensions=["yaml"]))
        return [path for path in paths if path.parent == folder]

    def render(self, path: PurePosixPath, values: Mapping[str, object]) -> str:
        """Return a template with its placeholders filled in."""
        return self._environment.get_template(str(path)).render(values)


def template_environment(loader: BaseLoader) -> Environment:
    """Return an environment for templates of YAML and Markdown, whose placeholders are `[[ ]]`."""
    environment = Environment(
        loader=loader,
        autoescape=False,  # noqa: S701 (the output is not HTML)  # nosec B701
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
    environment.filters["sentence"] = sentence
    return environment


def sentence(clause: str) -> str:
    """Return a clause as a sentence; empty if the clause is."""
    return f"{clause[:1].upper()}{clause[1:]}." if clause else ""
