"""The language check: one failing example for each rule, and pages that pass, through the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Example(NamedTuple):
    """A file and all of its findings."""

    file: str
    source: str
    findings: tuple[str, ...] = ()


FAILING = (
    # Expressions, by where they are.
    Example("prose.md", "It gives\nthe port.\n", ("1:4: 'gives': write return, yield, provide or pass",)),
    Example("wrapped.md", "> They take\n> note of it.\n", ("1:8: 'take note': write record or store",)),
    Example("cell.md", "| a | b |\n|---|---|\n| x \\| z | y anew |\n", ("3:14: 'anew': write again",)),
    Example(
        "alt.md", "See [the page](p.md).\n\n![Begun anew](a.png)\n", ("3:3: 'Begun anew': write start over or reset",)
    ),
    Example(
        "actor.py",
        'def f() -> None:\n    """Return it; é, nobody reads it."""\n',
        ("2:22: 'nobody': name the actor: the poller, Prometheus, AWS, the caller, the operator",),
    ),
    Example("comment.py", "x = 1  # one, lest\n# it end\n", ("1:15: 'lest': write so that … not",)),
    Example("allow.md", "A role that allows to read.\n", ("1:13: 'allows to': write allows …ing",)),
    Example("present.md", "The present state.\n", ("1:5: 'present state': write current",)),
    Example(
        "without.md",
        "It polls as without a queue.\n",
        ("1:4: 'polls as without': write as if there were no …, or as often as without",),
    ),
    Example("is_no.md", "A retry is no error; there is no limit.\n", ("1:9: 'is no': write is not a …",)),
    Example(
        "by.md",
        "The last job by which content came.\n",
        ("1:10: 'job by which': write that, with which, or none of … as the subject",),
    ),
    Example(
        "on.py", "x = 1  # the time from which on it holds\n", ("1:19: 'from which on': write starting at, since",)
    ),
    Example("once.md", "It lists all at once, and fails at once.\n", ("1:27: 'fails at once': write immediately",)),
    Example("noted.py", "x = 1  # The time was noted.\n", ("1:23: 'noted': write recorded",)),
    Example(
        "whatever.md", "It is 10, whatever the size.\n", ("1:11: 'whatever the': write for any …, no matter which …",)
    ),
    Example("ahead.md", "It renders ahead what expires.\n", ("1:4: 'renders ahead': write in advance",)),
    Example("cut.md", "A time, cut to the second.\n", ("1:9: 'cut to the second': write truncated to seconds",)),
    Example(
        "far.md",
        "Tags, as far as they are known.\n",
        ("1:7: 'as far as they are known': write if it is known, or the known …",),
    ),
    Example("of_name.md", "The target of a name.\n", ("1:5: 'target of a name': write with a name",)),
    Example("included.md", "All jobs, ABORTED ones included.\n", ("1:19: 'ones included': write including …",)),
    Example("part.md", "A run succeeded in part.\n", ("1:7: 'succeeded in part': write partially, completely",)),
    Example("advisable.md", "It is not advisable.\n", ("1:7: 'not advisable': write not recommended",)),
    Example("also.md", "It holds, also after a crash.\n", ("1:9: ', also after': write even or including",)),
    Example(
        "own.md", "It has a thread of its own.\n", ("1:8: 'a thread of its own': write its own …, or a separate …",)
    ),
    Example("spread.py", "# It takes\n# note of that.\n", ("1:6: 'takes note': write record or store",)),
    Example("message.py", 'x = f"{1} sources shall" "be polled"\n', ("1:19: 'shall': write must or will",)),
    Example("key.yaml", "x: 'a # mended one'\ny: |\n  # mended\n# mended\n", ("4:3: 'mended': write fix or repair",)),
    Example(
        "rule.yaml", "annotations:\n  summary: It is gone.\n", ("2:18: 'gone': write removed, deleted or missing",)
    ),
    Example("chart.yaml", "a: {{ .x }}\n{{- if .y }}\nb: 1  # anew\n", ("3:9: 'anew': write again",)),
    Example(
        "page.html",
        '<p title="a new answer">It is {{ "gone for ever" if x > 1 }}</p>\n',
        (
            "1:17: 'answer': write response, respond or return",
            "1:35: 'gone': write removed, deleted or missing",
            "1:40: 'for ever': write a long time, forever or permanently",
        ),
    ),
    Example(
        "run.sh",
        'echo "# anew"  # don\'t ask again\n',
        ("1:24: 'ask again': write request, call, requested or called",),
    ),
    Example("shebang", "#!/usr/bin/env bash\n# anew\n", ("2:3: 'anew': write again",)),
    Example("table.toml", "x = '# anew'  # anew\n", ("1:17: 'anew': write again",)),
    Example("Makefile", "all:  ## build it anew\n", ("1:19: 'anew': write again",)),
    # Docstrings.
    Example(
        "give.py",
        'def f() -> int:\n    """Give it."""\n',
        ("2:8: docstring begins with 'Give': begin with Return, Yield or Pass",),
    ),
    Example(
        "third.py",
        'class Queue:\n    """A queue."""\n\n    def f(self) -> int:\n        """Returns it."""\n',
        ("5:12: docstring begins with 'Returns': begin with an imperative verb such as Return, Yield or Parse",),
    ),
    Example(
        "article.py",
        'async def f() -> int:\n    """The number."""\n',
        ("2:8: docstring begins with 'The': begin with an imperative verb such as Return, Yield or Parse",),
    ),
    Example(
        "riddle.py",
        'class A:\n    """What comes."""\n',
        ("2:8: docstring begins with 'What': begin with a noun phrase",),
    ),
    Example(
        "property.py",
        'class A:\n    """A source."""\n\n    @property\n    def f(self) -> int:\n        """What is read."""\n',
        ("6:12: docstring begins with 'What': begin with Return or a noun phrase",),
    ),
    Example(
        "long.py",
        f'"""A module {"with one more word " * 5}here."""\n',
        ("1:1: 23 words in the first line of a docstring: write at most 20",),
    ),
    # Sentences.
    Example(
        "sentence.md",
        f"Short. A `code word` (e.g. 3.11) {'of text ' * 11}is here.\n",
        ("1:8: 28 words in one sentence: write at most 25",),
    ),
    # Waivers.
    Example(
        "waiver.py",
        "x = 'it comes to that'  # language: ignore[]\n",
        ("1:27: waiver without a reason: write language: ignore[why it is right here]",),
    ),
    Example("needless.py", "x = 1  # language: ignore[a title of AWS]\n", ("1:10: waiver without effect: remove it",)),
    Example("broken.py", "x = (\n", ("1:5: not Python: '(' was never closed",)),
)
PASSING = (
    Example(
        "good.md",
        "# Round trips\n\n"
        "The answer file lists `gives` and <https://example.com/tells/nobody>. Retries give up after 3.5 seconds.\n"
        f"A round-trip takes a [few](anew.md) milliseconds. {'Many words ' * 12}end.\n\n"
        "```console\n$ nobody gives anew\n```\n\n"
        f"| Amazon Q Business answers questions |\n|---|\n| {'word ' * 40} |\n",
    ),
    Example(
        "good.py",
        '"""Sources, and the rounding of their times."""\n\n'
        'KEY = "answer"\n'
        "NOTE = 'AWS has a title with nobody in it'  # language: ignore[the title is defined by AWS]\n\n\n"
        "class Region:\n"
        '    """A region."""\n\n'
        "    @property\n"
        "    def name(self) -> str:\n"
        '        """The name in lower case."""\n\n'
        "    def process(self) -> None:\n"
        '        """Process `gives` {anew}; raise ValueError if the value is None."""\n',
    ),
    Example(
        "tests/test_good.py",
        'def test_it() -> None:\n    """A poll returns."""\n    assert "nobody gives it" in "that is anew"\n',
    ),
    Example("good.html", '{{ "up" if source is none else "down" if source else "none" }}\n'),
    Example("tests/rules.yaml", "summary: it is gone\n"),
    Example("data.json", '{"it": "gives nobody that"}\n'),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with every example, and a tracked file that has been deleted."""
    root = tmp_path_factory.mktemp("tree")
    for file, source, _ in (*FAILING, *PASSING, Example("deleted.md", "Gone.\n")):
        (root / file).parent.mkdir(exist_ok=True)
        (root / file).write_text(source, encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
    subprocess.run(["git", "add", "."], cwd=root, check=True)
    (root / "deleted.md").unlink()
    (root / "untracked.md").write_text("It gives.\n", encoding="utf-8")
    return root


def run(root: Path, *paths: str) -> subprocess.CompletedProcess[str]:
    """Run the check in a directory."""
    command = [sys.executable, "-m", "tools.language", *paths]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def result(tree: Path) -> subprocess.CompletedProcess[str]:
    """Return what the check reports of every tracked file."""
    return run(tree)


@pytest.mark.parametrize("example", [*FAILING, *PASSING], ids=lambda example: example.file)
def test_each_finding_has_its_place_and_what_would_be_right(
    example: Example, result: subprocess.CompletedProcess[str]
) -> None:
    """The file has no other findings."""
    lines = [line for line in result.stdout.splitlines() if line.startswith(f"{example.file}:")]
    assert lines == [f"{example.file}:{finding}" for finding in example.findings]


def test_findings_fail_the_check(result: subprocess.CompletedProcess[str]) -> None:
    """Only tracked files are read; the last line counts files, findings and waivers."""
    assert result.returncode == 1
    findings = sum(len(example.findings) for example in FAILING)
    assert len(result.stdout.splitlines()) == findings
    assert result.stderr == f"{len(FAILING) + len(PASSING) - 1} files, {findings} findings, 3 waivers\n"


def test_named_files_and_directories_are_read_instead(tree: Path) -> None:
    """In a directory, files of other kinds, hidden files and installed Node.js packages are skipped."""
    for skipped in (".hidden", "node_modules"):
        (tree / "tests" / skipped).mkdir()
        (tree / "tests" / skipped / "readme.md").write_text("It gives.\n", encoding="utf-8")
    good = run(tree, "tests", "good.md")
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "3 files, 0 findings, 0 waivers\n")
    bad = run(tree, "untracked.md")
    assert (bad.returncode, bad.stdout) == (1, "untracked.md:1:4: 'gives': write return, yield, provide or pass\n")
