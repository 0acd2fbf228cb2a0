"""All checks of one file, by its kind, and the waivers in its comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tools.language.expressions import check_expressions
from tools.language.markdown import check_sentences, markdown_fragments
from tools.language.markup import html_fragments, yaml_fragments
from tools.language.python import PythonSource, check_docstrings
from tools.language.text import Finding, Fragment, comments, masked, position, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

KINDS = {
    ".md": "markdown",
    ".py": "python",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".html": "html",
    **dict.fromkeys((".toml", ".sh", ".tf", ".conf", ".service", "Makefile", "Dockerfile"), "comments"),
}
SHELL = re.compile(rb"#!.*sh\b")
WAIVER = re.compile(r"language: ignore(?:\[([^\]\n]*)\])?")
MIN_REASON_WORDS = 2


class Report(NamedTuple):
    """The findings of one file in the order of its lines, and the number of its waivers."""

    lines: list[str]
    waivers: int


def kind_of(path: Path) -> str:
    """Return how a file is read, by its name or its interpreter; empty if it is not checked."""
    if not path.suffix and path.name not in KINDS:
        with path.open("rb") as file:
            return "comments" if SHELL.match(file.readline()) else ""
    return KINDS.get(path.suffix or path.name, "")


def check_file(path: Path) -> Report:
    """Check a file of one of the known kinds."""
    source = path.read_text(encoding="utf-8")
    try:
        fragments, findings = _read(kind_of(path), source, messages="tests" not in path.parts)
    except SyntaxError as error:
        return Report([f"{path}:{error.lineno}:{error.offset}: not Python: {error.msg}"], 0)
    findings = [*check_expressions(masked(source, fragments)), *findings]
    waivers = dict(_waivers(source, fragments))
    located = [(*position(source, offset), message) for offset, message in dict(findings).items()]
    kept = [found for found in located if found[0] not in waivers]
    kept += _bad_waivers(waivers, {line for line, _, _ in located})
    return Report([f"{path}:{line}:{column}: {message}" for line, column, message in sorted(kept)], len(waivers))


def _read(kind: str, source: str, *, messages: bool) -> tuple[list[Fragment], list[Finding]]:
    """Return the prose of a source, and the findings that only its kind can have."""
    if kind == "python":
        module = PythonSource(source)
        return list(module.fragments(messages=messages)), list(check_docstrings(module))
    if kind == "markdown":
        return list(markdown_fragments(source)), list(check_sentences(source))
    if kind == "yaml":
        return list(yaml_fragments(source, messages=messages)), []
    return list(html_fragments(source) if kind == "html" else comments(source)), []


def _waivers(source: str, fragments: Iterable[Fragment]) -> Iterator[tuple[int, tuple[int, str]]]:
    """Yield the line of each waiver with its column and reason."""
    for start, text, is_comment in fragments:
        if is_comment and (match := WAIVER.search(text)):
            line, column = position(source, start + match.start())
            yield line, (column, match[1] or "")


def _bad_waivers(waivers: dict[int, tuple[int, str]], lines: set[int]) -> Iterator[tuple[int, int, str]]:
    """Yield waivers without a reason, and waivers on lines without a finding."""
    for line, (column, reason) in waivers.items():
        if len(words(reason)) < MIN_REASON_WORDS:
            yield line, column, "waiver without a reason: write language: ignore[why it is right here]"
        if line not in lines:
            yield line, column, "waiver without effect: remove it"
