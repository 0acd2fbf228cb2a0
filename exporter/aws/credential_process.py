"""Credential processes with limits: a process that hangs, writes without end, or outlives the program is killed.

Its children are killed too, unless they have started their own session. Such children may hold the pipes open, so after
the kill, the exporter does not wait for the end of the pipes.
"""

from __future__ import annotations

import atexit
import os
import selectors
import signal
import subprocess  # nosec B404
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast

import botocore.exceptions as boto_errors
from botocore.credentials import ProcessProvider

if TYPE_CHECKING:
    from botocore.session import Session as BotoSession

    from exporter.aws.credentials import Attempt

MAX_OUTPUT = 1 << 16  # bytes that a process may write to stdout or stderr; credentials take less than 4 KiB


def limit_processes(session: BotoSession, attempt: Attempt, timeout: float) -> None:
    """Limit the credential processes of a session's profile and of the profiles from which its role is assumed."""
    start = partial(_LimitedProcess, attempt, timeout)
    resolver = session.get_component("credential_provider")
    resolver.get_provider("custom-process")._popen = start  # noqa: SLF001 (botocore takes no other)
    builder = resolver.get_provider("assume-role")._profile_provider_builder  # noqa: SLF001 (the same)

    def create_provider(profile_name: str) -> ProcessProvider:
        return ProcessProvider(profile_name, lambda: session.full_config, start)

    builder._create_process_provider = create_provider  # noqa: SLF001 (the same)


class _LimitedProcess(subprocess.Popen[bytes]):
    """A credential process in its own process group, which is killed at the deadline of the attempt."""

    def __init__(self, attempt: Attempt, timeout: float, command: list[str], **options: Any) -> None:
        attempt.activity = f"credential_process {command[0] if command else ''}".rstrip()
        self._attempt = attempt
        self._timeout = timeout
        super().__init__(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)

    def communicate(self, *_: object, **__: object) -> tuple[bytes, bytes]:
        """Return the output of the process; raise CredentialRetrievalError if it hangs or writes too much."""
        atexit.register(self._kill_group)  # at its end, the program does not wait for the thread that runs this code
        try:
            stdout, stderr = self._read_output()
            code = self.wait(max(0.0, self._attempt.remaining()))
        except subprocess.TimeoutExpired:
            raise self._killed(f"did not end within {self._timeout:g} s") from None
        else:
            return stdout, stderr or f"the process ended with exit code {code}".encode()
        finally:
            atexit.unregister(self._kill_group)

    def _read_output(self) -> tuple[bytes, bytes]:
        """Return the output of the process to stdout and to stderr until it closes both."""
        stdout, stderr = (cast("IO[bytes]", stream) for stream in (self.stdout, self.stderr))  # botocore asks for pipes
        output = {stdout: bytearray(), stderr: bytearray()}
        with selectors.DefaultSelector() as selector, stdout, stderr:
            for stream, received in output.items():
                selector.register(stream, selectors.EVENT_READ, received)
            while selector.get_map():
                ready = selector.select(max(0.0, self._attempt.remaining()))
                if not ready:
                    raise subprocess.TimeoutExpired(self.args, self._timeout)
                for key, _ in ready:
                    chunk = os.read(key.fd, MAX_OUTPUT)
                    key.data.extend(chunk)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    if len(key.data) > MAX_OUTPUT:
                        raise self._killed(f"wrote more than {MAX_OUTPUT} bytes")
        return bytes(output[stdout]), bytes(output[stderr])

    def _killed(self, reason: str) -> boto_errors.CredentialRetrievalError:
        """Kill the process, and return the error with the reason."""
        self._kill_group()
        self.wait()
        message = f"the process {reason}, and was killed"
        return boto_errors.CredentialRetrievalError(provider="custom-process", error_msg=message)

    def _kill_group(self) -> None:
        """Kill the process and its children, which may hold the pipes open."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
