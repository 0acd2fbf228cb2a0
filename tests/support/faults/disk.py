"""A disk after a crash: a replay of system calls that strace recorded, then a kill or a power cut.

After a kill, all writes are on the disk. After a power cut, only synced writes certainly are. Each later write is on
the disk, missing or torn. File names are as of the last sync of their directory, or later.
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
_DESCRIPTOR = re.compile(r"^\d+<([^>]*)>")


@dataclass(frozen=True)
class SystemCall:
    """A completed system call: its name, its file, and its data or other arguments."""

    name: str
    path: str
    data: bytes = b""
    number: int = 0
    other: str = ""


def record(scenario: str, directory: Path) -> list[SystemCall]:
    """Run a scenario in a directory under strace; return its calls on the files and its output on stdout."""
    log, here = directory.parent / f"{directory.name}.strace", Path(__file__).parents[3]
    command = ["strace", "-f", "-y", "-xx", "-s", "65536", "-e", f"trace={CALLS}", "-o", str(log)]
    command += [sys.executable, "-m", "tests.support.faults.crash", scenario, str(directory / "state.db")]
    env = {**os.environ, "PYTHONPATH": str(here), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(command, env=env, check=True, timeout=60, stdout=subprocess.DEVNULL)
    return [call for call in _parsed(log.read_text()) if call.name == "exposed" or call.path.startswith(str(directory))]


def _parsed(log: str) -> Iterator[SystemCall]:
    for name, arguments, _ in _CALL.findall(log):
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
        descriptor = _DESCRIPTOR.match(arguments)
        path = _unescaped(descriptor[1]) if descriptor else os.fsdecode(texts[0]) if texts else ""
        if name == "openat":
            yield SystemCall(name, os.fsdecode(texts[0]), other=arguments)
        elif name == "pwrite64":
            yield SystemCall(name, path, texts[0], int(arguments.rpartition(", ")[2]))
        elif name == "write" and arguments.startswith("1<"):
            yield SystemCall("exposed", "", number=int(texts[0]))
        elif name == "ftruncate":
            yield SystemCall(name, path, number=int(arguments.rpartition(", ")[2]))
        elif name == "rename":
            yield SystemCall(name, path, other=os.fsdecode(texts[1]))
        elif name in {"fdatasync", "fsync", "unlink"}:
            yield SystemCall(name, path)


def _unescaped(path: str) -> str:
    return os.fsdecode(bytes.fromhex(path.replace("\\x", ""))) if path.startswith("\\x") else path


@dataclass
class _File:
    """A file's content at its last sync, and the calls since then."""

    synced: bytes = b""
    later: list[SystemCall] = field(default_factory=list)

    def now(self) -> bytes:
        return _apply(self.synced, self.later)

    def after_a_power_cut(self, rng: random.Random) -> bytes:
        survivors = (_survivor(call, rng) for call in self.later)
        return _apply(self.synced, [call for call in survivors if call])


def _survivor(call: SystemCall, rng: random.Random) -> SystemCall | None:
    if call.name == "ftruncate":
        return rng.choice((call, None))
    torn = SystemCall(
        call.name, call.path, call.data[: SECTOR * rng.randint(0, 1 + len(call.data) // SECTOR)], call.number
    )
    return rng.choice((call, None, torn))


def _apply(content: bytes, calls: list[SystemCall]) -> bytes:
    image = bytearray(content)
    for call in calls:
        if call.name == "ftruncate":
            image = image[: call.number].ljust(call.number, b"\0")
        else:
            image = image.ljust(call.number + len(call.data), b"\0")
            image[call.number : call.number + len(call.data)] = call.data
    return bytes(image)


class RecordedDisk:
    """A directory of files at a point of the replay; `exposed` is the last number that the process printed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files = {str(path): _File(path.read_bytes()) for path in directory.iterdir()}
        self._synced_names = dict(self._files)
        self.exposed = 0

    def replay(self, call: SystemCall) -> None:
        """Replay the next call of the process."""
        if call.name == "exposed":
            self.exposed = call.number
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
        """Return the files as they are."""
        return {path: file.now() for path, file in self._files.items()}

    def after_a_power_cut(self, rng: random.Random) -> dict[str, bytes]:
        """Return files as they may be after a power cut."""
        names = rng.choice((self._files, self._synced_names))
        return {path: file.after_a_power_cut(rng) for path, file in names.items()}


def write_files(files: dict[str, bytes], directory: Path) -> Path:
    """Write files into another directory, without the shared memory; return the path of the state file."""
    directory.mkdir()
    for path, content in files.items():
        if not path.endswith("-shm"):
            (directory / Path(path).name).write_bytes(content)
    return directory / "state.db"
