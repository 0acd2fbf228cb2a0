"""The lock that prevents a second exporter from using a state file, by any path."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

from exporter.errors import StartupError

MODE = 0o600  # mode of a new state file for any umask: error texts of syncs are for the operator only
# One byte far beyond the end of every database. SQLite locks bytes near 2^30, so the two kinds of lock never meet.
_LOCKED_BYTE = 2**62
_LOCK = struct.pack("hhqqi0q", fcntl.F_WRLCK, os.SEEK_SET, _LOCKED_BYTE, 1, 0)  # struct flock, with 64-bit offsets


class FileLock:
    """A lock on the inode of a state file, until `release` or the end of the process.

    A lock on the inode holds for every symbolic and hard link to the file, and no other file has to exist for it.

    It is a lock of the open file description. With `flock`, NFS would lock the whole file, and SQLite could not lock
    it. A plain record lock belongs to the process, and is lost as soon as any descriptor of the file is closed. SQLite
    uses such locks. So the database must be closed before `release`, because closing this descriptor drops the locks of
    SQLite.
    """

    def __init__(self, path: str) -> None:
        """Create the file if it is missing, and lock it. Raise StartupError if another exporter has locked it."""
        self._path = Path(path)
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, MODE)
        except OSError as error:
            raise StartupError(inaccessible(path, error.strerror or str(error))) from error
        try:
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, _LOCK)
        except OSError as error:
            os.close(self._descriptor)
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                message = f"state file {path} is in use by another exporter: set a different state.path"
            else:
                message = inaccessible(path, error.strerror or str(error))
            raise StartupError(message) from error
        self._inode = _identity(os.fstat(self._descriptor))
        self._log = Path(f"{self._path.resolve()}-wal")

    def is_in_place(self) -> bool:
        """Return whether the path still leads to the locked file, and its write-ahead log still exists.

        SQLite keeps the log as long as the database is open. Without it, commits go to a file that no start reads.
        """
        with suppress(OSError):
            return _identity(self._path.stat()) == self._inode and self._log.exists()
        return False

    def release(self) -> None:
        """Release the lock; the database must be closed."""
        os.close(self._descriptor)


def inaccessible(path: str, why: str) -> str:
    """Return the message for a file that cannot be opened, with advice for the operator."""
    file = Path(path).absolute()
    remedy = f"make {file.parent} writable" if file.parent.is_dir() else f"create the directory {file.parent}"
    return (
        f"state file {file} cannot be opened for writing ({why}): {remedy}, or set another state.path, or `:memory:` "
        "to run without a state file"
    )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
