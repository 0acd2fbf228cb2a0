"""A disk as a process left it: what strace saw of it, played again up to any moment, with or without a power cut.

After a kill everything is there that was written. After a power cut only what was synced is sure to be: of each later
write all, nothing or its beginning, and of the names of files those as of the last sync of their directory, or later.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

CALLS = "openat,pwrite64,fdatasync,fsync,ftruncate,unlink,rename,write"
SECTOR = 512
_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (\d+)", re.MULTILINE)
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_PLACE = re.compile(r"^\d+<([^>]*)>")


@dataclass(frozen=True)
class Call:
    """A system call that came back: its name, the file it was about, and its data or other numbers."""

    name: str
    path: str
    data: bytes = b""
    number: int = 0
    other: str = ""


def record(scenario: str, directory: Path) -> list[Call]:
    """Run a scenario on the files of a directory under strace, and give what it did to them and to stdout."""
    log, here = directory.parent / f"{directory.name}.strace", Path(__file__).parents[3]
    command = ["strace", "-f", "-y", "-xx", "-s", "65536", "-e", f"trace={CALLS}", "-o", str(log)]
    command += [sys.executable, "-m", "tests.support.faults.crash", scenario, str(directory / "state.db")]
    env = {**os.environ, "PYTHONPATH": str(here), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(command, env=env, check=True, timeout=60, stdout=subprocess.DEVNULL)
    return [call for call in _parsed(log.read_text()) if call.name == "show" or call.path.startswith(str(directory))]


def _parsed(log: str) -> Iterator[Call]:
    for name, arguments, _ in _CALL.findall(log):
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
        place = _PLACE.match(arguments)
        path = _unescaped(place[1]) if place else os.fsdecode(texts[0]) if texts else ""
        if name == "openat":
            yield Call(name, os.fsdecode(texts[0]), other=arguments)
        elif name == "pwrite64":
            yield Call(name, path, texts[0], int(arguments.rpartition(", ")[2]))
        elif name == "write" and arguments.startswith("1<"):
            yield Call("show", "", number=int(texts[0]))
        elif name == "ftruncate":
            yield Call(name, path, number=int(arguments.rpartition(", ")[2]))
        elif name == "rename":
            yield Call(name, path, other=os.fsdecode(texts[1]))
        elif name in {"fdatasync", "fsync", "unlink"}:
            yield Call(name, path)


def _unescaped(path: str) -> str:
    return os.fsdecode(bytes.fromhex(path.replace("\\x", ""))) if path.startswith("\\x") else path


@dataclass
class _File:
    """A file's bytes as synced, and what was done to it since."""

    synced: bytes = b""
    later: list[Call] = field(default_factory=list)

    def now(self) -> bytes:
        return _done(self.synced, self.later)

    def after_a_power_cut(self, dice: random.Random) -> bytes:
        survivors = (_survivor(call, dice) for call in self.later)
        return _done(self.synced, [call for call in survivors if call])


def _survivor(call: Call, dice: random.Random) -> Call | None:
    if call.name == "ftruncate":
        return dice.choice((call, None))
    torn = Call(call.name, call.path, call.data[: SECTOR * dice.randint(0, 1 + len(call.data) // SECTOR)], call.number)
    return dice.choice((call, None, torn))


def _done(content: bytes, calls: list[Call]) -> bytes:
    image = bytearray(content)
    for call in calls:
        if call.name == "ftruncate":
            image = image[: call.number].ljust(call.number, b"\0")
        else:
            image = image.ljust(call.number + len(call.data), b"\0")
            image[call.number : call.number + len(call.data)] = call.data
    return bytes(image)


class Disk:
    """A directory of files, as far as a process has come with them; `shown` is the last figure that it told."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = {str(path): _File(path.read_bytes()) for path in directory.iterdir()}
        self._synced_names = dict(self._files)
        self.shown = 0

    def do(self, call: Call) -> None:
        """Do what a process did next."""
        if call.name == "show":
            self.shown = call.number
        elif call.name == "openat":
            if "O_CREAT" in call.other:
                self._files.setdefault(call.path, _File())
        elif call.name == "unlink":
            del self._files[call.path]
        elif call.name == "rename":
            self._files[call.other] = self._files.pop(call.path)
        elif call.path == str(self._directory):
            self._synced_names = dict(self._files)
        elif call.name in {"fdatasync", "fsync"}:
            file = self._files[call.path]
            file.synced, file.later = file.now(), []
        else:
            self._files[call.path].later.append(call)

    def after_a_kill(self) -> dict[str, bytes]:
        """Give the files as they are."""
        return {path: file.now() for path, file in self._files.items()}

    def after_a_power_cut(self, dice: random.Random) -> dict[str, bytes]:
        """Give files as they may be when the power is back."""
        names = dice.choice((self._files, self._synced_names))
        return {path: file.after_a_power_cut(dice) for path, file in names.items()}


def lay_out(files: dict[str, bytes], directory: Path) -> Path:
    """Write files into another directory, but for the shared memory, which nobody keeps; give the state file."""
    directory.mkdir()
    for path, content in files.items():
        if not path.endswith("-shm"):
            (directory / Path(path).name).write_bytes(content)
    return directory / "state.db"
