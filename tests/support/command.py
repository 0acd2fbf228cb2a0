"""Commands of the program, run in the process of the test.

A process of its own would take a second of CPU time to start.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import chdir, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING
from unittest import mock

from exporter.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def run_command(
    *arguments: str | Path, folder: Path | str = ".", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; return its exit code and output as if it were a process.

    Stdout and stderr are files, because the commands ask for their descriptors. Tests of what only a process has,
    such as signals, pipes and terminals, start one.
    """
    words = [str(word) for word in arguments]
    with (
        tempfile.TemporaryFile("w+") as stdout,
        tempfile.TemporaryFile("w+") as stderr,
        chdir(folder),
        mock.patch.dict(os.environ, environment or os.environ, clear=True),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        try:
            code = main(words)
        except SystemExit as end:  # argparse
            code = int(end.code or 0)
        texts = []
        for stream in (stdout, stderr):
            stream.flush()
            stream.seek(0)
            texts.append(stream.read())
    return subprocess.CompletedProcess(words, code, *texts)
