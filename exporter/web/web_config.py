"""The web config in force: who may connect and ask, reread from its files so that what is rotated applies by itself."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import structlog

from exporter.config import load_web
from exporter.errors import ConfigError
from exporter.web.basic_auth import Users
from exporter.web.tls import CurrentContext, context_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from exporter.config import LoadedWeb
    from exporter.errors import ConfigProblem
    from exporter.web.tls import TlsContext

LOOK_EVERY = 1.0  # seconds; a look reads four small files at most

logger = structlog.get_logger()


class WebConfigReloader:
    """What a web config file says, for as long as the server runs; building it raises ConfigError with every problem.

    The files are read again and again, and not only when their times and sizes change, which not every way of
    replacing a file does. What is wrong in two looks at the same content is said once, and changes nothing: in one
    look, files may be caught half written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looking = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="web-config", daemon=True)
        self._seen = _Files()
        self._problems: list[ConfigProblem] = []
        self._is_said = False
        self._tls_changed = self._applied = self._refused = _nothing
        self._in_force = self._read()
        context = self._in_force.context
        self.ssl_context = CurrentContext(context) if context else None
        self.users = Users(self._in_force.hashes)

    @property
    def warnings(self) -> tuple[ConfigProblem, ...]:
        """Give what is unwise."""
        return self._in_force.loaded.warnings

    @property
    def headers(self) -> Mapping[str, str]:
        """Give the headers of every answer."""
        return self._in_force.headers

    def summary(self) -> str:
        """Say in a line who may ask."""
        tls = self._in_force.loaded.config.tls_server_config
        scheme = f"TLS, client certificates: {tls.client_auth_type}" if tls and self.ssl_context else "no TLS"
        return f"{scheme}; users: {len(self._in_force.hashes)}"

    def watch(self, tls_changed: Callable[[], None], applied: Callable[[], None], refused: Callable[[], None]) -> None:
        """Begin to look for changes, and call back when TLS changes, a change was applied, and one could not be."""
        self._tls_changed, self._applied, self._refused = tls_changed, applied, refused
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def look(self, *, is_asked_for: bool = False) -> list[ConfigProblem]:
        """Apply what changed; gives what keeps it from being applied. Who asks for it says himself what that is."""
        with self._looking:
            if self._seen.have_changed():
                self._problems, self._is_said = self._apply(), is_asked_for
            elif self._problems and not self._is_said:
                self._say()
            return self._problems

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_EVERY):
            try:
                self.look()
            except Exception:
                logger.exception("web config is not reread any more: restart to apply changes")
                self._refused()
                return

    def _apply(self) -> list[ConfigProblem]:
        try:
            new = self._read(self._in_force)
        except ConfigError as error:
            return error.problems
        old, self._in_force = self._in_force, new
        changed = []
        if new.hashes != old.hashes:
            changed.append("basic_auth_users")
            self.users = Users(new.hashes)
        if new.headers != old.headers:
            changed.append("headers")
        if self.ssl_context and new.context and new.context is not old.context:
            changed.append("tls_server_config")
            self.ssl_context.current = new.context
            self._tls_changed()
        for warning in new.loaded.warnings:
            logger.warning("configuration warning", problem=str(warning))
        if changed or (self._problems and self._is_said):
            logger.info("web config reread", changed=changed)
            self._applied()
        return []

    def _say(self) -> None:
        self._is_said = True
        self._refused()
        for problem in self._problems:
            logger.error("web config not reread, the former is still in force", problem=str(problem))

    def _read(self, before: _Version | None = None) -> _Version:
        self._seen = _Files()
        loaded = load_web(self._path, self._seen.read)
        if before and loaded.has_tls_of(before.loaded):
            return _Version(loaded, before.context)
        new = _Version(loaded, context_of(loaded))
        if before and bool(new.context) is not bool(before.context):
            message = "tls_server_config: TLS is turned on and off with a restart alone"
            raise ConfigError([loaded.source.problem(("tls_server_config",), message)])
        return new


def _nothing() -> None:
    """Do it."""


@dataclass(frozen=True, slots=True)
class _Version:
    """What the files said at one time; of versions whose TLS is the same, the context is the same."""

    loaded: LoadedWeb
    context: TlsContext | None

    @property
    def hashes(self) -> Mapping[str, str]:
        return self.loaded.config.basic_auth_users

    @property
    def headers(self) -> Mapping[str, str]:
        return self.loaded.config.http_server_config.headers.configured


class _Files:
    """The files of one version, and what was in each."""

    def __init__(self) -> None:
        self._digests: dict[Path, bytes] = {}

    def read(self, path: Path) -> bytes:
        """Read a file, and remember that it was."""
        self._digests[path] = b""  # where it cannot be read
        content = path.read_bytes()
        self._digests[path] = sha256(content).digest()
        return content

    def have_changed(self) -> bool:
        """Tell whether any of them has another content by now."""
        now = _Files()
        for path in self._digests:
            with suppress(OSError):
                now.read(path)
        return now._digests != self._digests
