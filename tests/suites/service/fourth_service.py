"""A copy of the repository with a further service: Amazon Kendra under another name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAME = "kestrel"
REGISTRY = "exporter/providers/registry.py"
_IGNORED = shutil.ignore_patterns(
    ".*cache", ".git", ".hypothesis", ".venv*", "__pycache__", "build", "dist", "node_modules"
)
_NAMES = (
    ("kendra", NAME),
    ("Kendra", NAME.capitalize()),
    ("KENDRA", NAME.upper()),
    ("_Capacity", "_EditionLimits"),
)
# What remains: the client of boto3, and what Amazon Kendra itself has on the wire.
_KEPT = (
    (f'client="{NAME}"', 'client="kendra"'),
    (f'iam="{NAME}"', 'iam="kendra"'),
    ('is_signed_for("kestrel")', 'is_signed_for("kendra")'),
    ("AWSKestrelFrontendService", "AWSKendraFrontendService"),
    ("arn:aws:kestrel:", "arn:aws:kendra:"),
    ('f"kestrel:{call.operation}"', 'f"kendra:{call.operation}"'),
)


@dataclass(frozen=True)
class FourthService:
    """The copy, in a folder."""

    folder: Path

    def make(self) -> set[str]:
        """Copy the repository and add the service; return the names of the files that a developer writes."""
        shutil.copytree(ROOT, self.folder, ignore=_IGNORED, symlinks=True)
        written = {REGISTRY}
        for pattern in (
            "exporter/providers/kendra/*.py",
            "exporter/simulator/kendra*.py",
            "tests/providers/kendra/case.py",
        ):
            for path in self.folder.glob(pattern):
                copy = Path(str(path).replace("kendra", NAME))
                copy.parent.mkdir(exist_ok=True)
                copy.write_text(_renamed(path.read_text(), _NAMES + _KEPT))
                written.add(str(copy.relative_to(self.folder)))
        self._register()
        return written

    def _register(self) -> None:
        """Add the lines of the service to the registry, each group of lines below that of Amazon Kendra."""
        registry = self.folder / REGISTRY
        groups = re.split(r"(?m)((?:^.*kendra.*\n|^.*KENDRA.*\n)+)", registry.read_text())
        registry.write_text(
            "".join(f"{text}{_renamed(text, _NAMES) if number % 2 else ''}" for number, text in enumerate(groups))
        )

    def run(self, *command: str) -> None:
        """Run a command in the copy; fail with its output unless it succeeds."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-5000:]


def _renamed(text: str, names: tuple[tuple[str, str], ...]) -> str:
    for before, after in names:
        text = text.replace(before, after)
    return text
