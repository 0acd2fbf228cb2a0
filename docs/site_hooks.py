"""Hooks of MkDocs: the list of runbooks, and links to files that are not part of the site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any, Protocol

    class Page(Protocol):
        """The only attribute of a page that the hooks use."""

        file: Any


_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")
_RUNBOOKS = "runbooks"


def on_config(config: MutableMapping[str, Any]) -> None:
    """Add the runbooks to the navigation, the page that lists them first."""
    names = sorted(path.name for path in (Path(config["docs_dir"]) / _RUNBOOKS).glob("*.md"))
    names.sort(key=lambda name: name != "README.md")
    for entry in config["nav"]:
        if "Runbooks" in entry:
            entry["Runbooks"] = [f"{_RUNBOOKS}/{name}" for name in names]


def on_page_markdown(markdown: str, page: Page, config: MutableMapping[str, Any], **_: object) -> str:
    """Return the text of a page without links to the repository, as long as that has no address."""
    docs = Path(config["docs_dir"])
    folder = (docs / page.file.src_uri).parent

    def replace(link: re.Match[str]) -> str:
        text, target = link[1], (folder / link[2]).resolve()
        if target.is_relative_to(docs.resolve()) and target.is_file():
            return link[0]
        return outside(text, str(target.relative_to(docs.resolve().parent)), config["repo_url"])

    return _LINK.sub(replace, markdown)


def outside(text: str, path: str, repository: str | None) -> str:
    """Return a link to a file of the repository; its path instead while the repository has no address.

    Example: `[the rules](../deploy/rules/)` becomes "the rules (`deploy/rules`)".
    """
    if repository:
        return f"[{text}]({repository.rstrip('/')}/blob/main/{path})"
    return f"`{path}`" if text.strip("`/") == path else f"{text} (`{path}`)"
