"""The completion scripts, in a real bash."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from exporter.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def script(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the script that the program prints for bash."""
    with pytest.raises(SystemExit) as exit_:
        main(["--completion-script-bash"])
    assert exit_.value.code == 0
    return capsys.readouterr().out


def complete(script: str, folder: Path, *words: str) -> set[str]:
    """Return what bash offers for the last of the words after the name of the program."""
    line = " ".join(f"'{word}'" for word in ("qbusiness-exporter", *words))
    function = "$(complete -p qbusiness-exporter | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
    commands = (
        f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words)}; {function}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", commands], capture_output=True, text=True, check=False, cwd=folder)
    return {word.strip() for word in done.stdout.split("\n") if word.strip()}


def test_bash_completes_commands_flags_and_values(script: str, tmp_path: Path) -> None:
    """Each command has its own flags."""
    assert complete(script, tmp_path, "ba") == {"backfill"}
    assert complete(script, tmp_path, "check", "--pr") == {"--probe"}
    assert complete(script, tmp_path, "policy", "--pr") == set()
    assert complete(script, tmp_path, "documents", "--format", "j") == {"json"}


def test_bash_completes_flags_without_a_command(script: str, tmp_path: Path) -> None:
    """They are those of the default command."""
    assert complete(script, tmp_path, "--web.lis") == {"--web.listen-address"}
    assert complete(script, tmp_path, "--log.format", "j") == {"json"}
    assert complete(script, tmp_path, "--vers") == {"--version"}
    assert complete(script, tmp_path, "--config.file", "config.yaml", "ba") == {"backfill"}


def test_bash_completes_the_arguments_of_a_command(script: str, tmp_path: Path) -> None:
    """The state is copied from and to files, among others."""
    (tmp_path / "state.db").touch()
    assert complete(script, tmp_path, "state", "c") == {"copy"}
    assert complete(script, tmp_path, "state", "copy", "st") == {"state.db"}


def test_bash_completes_files(script: str, tmp_path: Path) -> None:
    """This applies to flags whose value is a path."""
    (tmp_path / "config.yaml").touch()
    assert complete(script, tmp_path, "check", "--config.file", "conf") == {"config.yaml"}


def test_zsh_has_a_script_too(capsys: pytest.CaptureFixture[str]) -> None:
    """It begins as zsh requires."""
    with pytest.raises(SystemExit):
        main(["--completion-script-zsh"])
    assert capsys.readouterr().out.startswith("#compdef qbusiness-exporter")
