"""Python: docstrings, comments, and string literals long enough to be messages."""

from __future__ import annotations

import ast
import re
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from tools.language.expressions import CLAUSES, DOCSTRING_VERBS, NOT_VERBS
from tools.language.text import CODE_WORD, Finding, Fragment, blanked, comments, words

if TYPE_CHECKING:
    from collections.abc import Iterator

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

MESSAGE_WORDS = 3  # a literal with fewer is probably a key or a label
MAX_SUMMARY_WORDS = 20
LITERAL_SYNTAX = re.compile(r"""\b[rbfuRBFU]{1,2}(?=["'])|["]+|\\.|(\{[^{}\n]*\})""")
THIRD_PERSON = re.compile(r"(?!alias$|bias$|focus$).*[^s]s$")
PARTICIPLE = re.compile(r"(?!bring$|ping$|string$).*ing$|(?!embed$|shed$).*[^e]ed$")


class Docstring(NamedTuple):
    """A docstring, its owner, and the offset where it begins."""

    start: int
    owner: Documented
    text: str


class PythonSource:
    """A parsed module; raises SyntaxError for what is not Python."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._tree = ast.parse(source)
        self._lines = source.split("\n")
        self._starts = list(accumulate((len(line) + 1 for line in self._lines), initial=0))

    def fragments(self, *, messages: bool) -> Iterator[Fragment]:
        """Yield docstrings, comments, and with `messages` the other string literals too."""
        documentation = {docstring.start for docstring in self.docstrings()}
        literals = list(self._literals())
        for start, end in literals:
            text = LITERAL_SYNTAX.sub(_neutral, self.source[start:end])
            if start in documentation or (messages and len(text.split()) >= MESSAGE_WORDS):
                yield Fragment(start, text)
        yield from comments(blanked(self.source, literals))

    def docstrings(self) -> Iterator[Docstring]:
        """Yield every docstring."""
        for owner in ast.walk(self._tree):
            if isinstance(owner, Documented) and (text := ast.get_docstring(owner)):
                literal = owner.body[0]
                yield Docstring(self._offset(literal.lineno, literal.col_offset), owner, text)

    def _literals(self) -> Iterator[tuple[int, int]]:
        """Yield where string and bytes literals begin and end; adjacent ones are one."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.JoinedStr) or (
                isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
            ):
                end = self._offset(node.end_lineno or 0, node.end_col_offset or 0)
                yield self._offset(node.lineno, node.col_offset), end

    def _offset(self, line: int, column: int) -> int:
        """Return the offset of a place in the syntax tree, whose columns count bytes."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())


def check_docstrings(module: PythonSource) -> Iterator[Finding]:
    """Yield the docstrings whose first line is too long or begins with a wrong word."""
    for start, owner, text in module.docstrings():
        summary = text.splitlines()[0]
        if (count := len(words(summary))) > MAX_SUMMARY_WORDS:
            message = f"{count} words in the first line of a docstring: write at most {MAX_SUMMARY_WORDS}"
            yield Finding(start, message)
        first = summary.split()[0].strip(".,:;'\"")
        if advice := _advice(first, owner):
            yield Finding(module.source.index(first, start), f"docstring begins with '{first}': {advice}")


def _advice(first: str, owner: Documented) -> str | None:
    """Return how the docstring should begin instead; None if it begins well."""
    word = first.lower()
    if not isinstance(owner, ast.FunctionDef | ast.AsyncFunctionDef):
        return "begin with a noun phrase" if word in CLAUSES else None
    if first in DOCSTRING_VERBS:
        return DOCSTRING_VERBS[first]
    if _is_property(owner):
        return "begin with Return or a noun phrase" if word in CLAUSES else None
    is_verb = first.replace("-", "").isalpha() and first[0].isupper() and word not in NOT_VERBS
    if owner.name.startswith("test") or (is_verb and not THIRD_PERSON.match(word) and not PARTICIPLE.match(word)):
        return None
    return "begin with an imperative verb such as Return, Yield or Parse"


def _is_property(owner: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a decorator makes the function an attribute."""
    return any(ast.unparse(decorator).endswith("property") for decorator in owner.decorator_list)


def _neutral(match: re.Match[str]) -> str:
    """Return text of the same length without meaning: a word for a placeholder, spaces for syntax."""
    return (CODE_WORD if match[1] else " ") * len(match[0])
