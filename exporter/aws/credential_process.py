"""Credential processes with a deadline: a helper that hangs, or outlives the program, is killed with its children."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess  # nosec B404
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import botocore.exceptions as boto_errors
from botocore.credentials import ProcessProvider

if TYPE_CHECKING:
    from botocore.session import Session as BotoSession

    from exporter.aws.credentials import Attempt


def limit_processes(session: BotoSession, attempt: Attempt, timeout: float) -> None:
    """Limit the credential process of a session's profile, and those of the profiles that a role is assumed from."""
    start = partial(_LimitedProcess, attempt, timeout)
    resolver = session.get_component("credential_provider")
    resolver.get_provider("custom-process")._popen = start  # noqa: SLF001 (botocore takes no other)
    builder = resolver.get_provider("assume-role")._profile_provider_builder  # noqa: SLF001 (the same)

    def create_provider(profile_name: str) -> ProcessProvider:
        return ProcessProvider(profile_name, lambda: session.full_config, start)

    builder._create_process_provider = create_provider  # noqa: SLF001 (the same)


class _LimitedProcess(subprocess.Popen[bytes]):
    """A credential process in a process group of its own, which is killed after the timeout."""

    def __init__(self, attempt: Attempt, timeout: float, command: list[str], **options: Any) -> None:
        attempt.activity = f"credential_process {command[0] if command else ''}".rstrip()
        self._limit = timeout
        super().__init__(command, stdin=subprocess.DEVNULL, start_new_session=True, **options)

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:  # noqa: A002 (the name in subprocess)
        """Return what the process wrote; raise CredentialRetrievalError after the timeout."""
        atexit.register(self._kill_group)  # the program does not wait for the thread that is here when it ends
        try:
            return super().communicate(input, timeout or self._limit)
        except subprocess.TimeoutExpired:
            self._kill_group()
            super().communicate()
            message = f"the process did not end within {self._limit:g} s, and was killed"
            raise boto_errors.CredentialRetrievalError(provider="custom-process", error_msg=message) from None
        finally:
            atexit.unregister(self._kill_group)

    def _kill_group(self) -> None:
        """Kill the process and its children, which may hold the pipes open."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
