"""The references name the whole interface, and mark its experimental parts."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest

from docs import stability
from docs.command_reference import ENDPOINTS, commands_page
from docs.configuration_reference import configuration_page
from docs.generate import metrics_page
from exporter.cli.arguments import COMMANDS
from tests.support.web_app import make_app

PAGES = {
    "families": (metrics_page(), stability.FAMILIES),
    "flags": (commands_page(), tuple(f"--{name}*" for name in stability.FLAGS)),
    "keys": (configuration_page(), tuple(name.rpartition(".")[2] for name in stability.KEYS)),
}


@pytest.mark.parametrize(("page", "globs"), PAGES.values(), ids=PAGES)
def test_every_experimental_part_exists_and_is_marked(page: str, globs: tuple[str, ...]) -> None:
    """A mark for a name that does not exist would hide that the new name is not marked."""
    marked = re.findall(r"^\| `([^`]+)` \(experimental\) \|", page, re.MULTILINE)
    assert all(any(fnmatchcase(name, glob) for name in marked) for glob in globs)
    assert all(any(fnmatchcase(name, glob) for glob in globs) for name in marked)


def test_the_reference_has_every_command_and_endpoint() -> None:
    """A user who looks for one finds it with its flags."""
    page = commands_page()
    assert re.findall(r"^## `(\w+)", page, re.MULTILINE) == list(COMMANDS)
    served = {path.partition("{")[0] for route in make_app(reload=list).routes if (path := getattr(route, "path", ""))}
    assert served == ENDPOINTS.keys()
    assert all(f"| `{path}` |" in page for path in ENDPOINTS)
