"""YAML: comments and annotations. HTML templates: text, and phrases in attributes and expressions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from tools.language.text import Fragment, blanked, comments

if TYPE_CHECKING:
    from collections.abc import Iterator

ANNOTATIONS = {"summary", "description"}
MARKUP = re.compile(
    r"<(script|style)\b.*?</\1>|<(?:\{\{.*?\}\}|\{%.*?%\}|[^<>{])*>|\{%.*?%\}|\{\{.*?\}\}|\{#|#\}|&\w+;", re.DOTALL
)
MIN_PHRASE_WORDS = 3
QUOTED = re.compile(r'"[^"<>]*"')


def yaml_fragments(source: str, *, messages: bool) -> Iterator[Fragment]:
    """Yield comments, and with `messages` annotations; a Helm template is not YAML and has only comments."""
    try:
        scalars = [pair for node in yaml.compose_all(source, Loader=yaml.SafeLoader) for pair in _scalars(node)]
    except yaml.YAMLError:
        scalars = []
    spans = [(scalar.start_mark.index, scalar.end_mark.index) for _, scalar in scalars]
    for (key, _), (start, end) in zip(scalars, spans, strict=True):
        if messages and key in ANNOTATIONS:
            yield Fragment(start, source[start:end])
    yield from comments(blanked(source, spans))


def _scalars(node: yaml.Node | None, key: str = "") -> Iterator[tuple[str, yaml.ScalarNode]]:
    """Yield every scalar with the key whose value it is."""
    if isinstance(node, yaml.ScalarNode):
        yield key, node
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _scalars(item)
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _scalars(name)
            yield from _scalars(value, str(name.value))


def html_fragments(source: str) -> Iterator[Fragment]:
    """Yield the text of a Jinja template; in its markup only quoted phrases are text."""
    yield Fragment(0, MARKUP.sub(_phrases, source))


def _phrases(markup: re.Match[str]) -> str:
    """Return markup with everything replaced by spaces, except for quoted phrases."""
    text = [" "] * len(markup[0])
    for phrase in QUOTED.finditer("" if markup[1] else markup[0]):
        if len(phrase[0].split()) >= MIN_PHRASE_WORDS:
            text[phrase.start() : phrase.end()] = phrase[0]
    return "".join(text)
