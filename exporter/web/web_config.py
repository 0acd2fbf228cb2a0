"""The current web config, which is reloaded when its files change, for example when a certificate is rotated."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import structlog

from exporter.config import load_web, require_content
from exporter.errors import ConfigError
from exporter.files import read_file
from exporter.web.basic_auth import Users
from exporter.web.server.tls import CurrentContext, context_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from exporter.config import LoadedWeb
    from exporter.errors import ConfigProblem
    from exporter.web.server.tls import TlsContext

CHECK_INTERVAL = 1.0  # seconds; a check reads at most four small files

logger = structlog.get_logger()


class WebConfigReloader:
    """The web config while the server runs. The constructor raises ConfigError with every problem.

    Each check reads the content of the files, because replacing a file does not always change its size or its time. A
    problem is logged once, when a second check finds the same content. The first check may have read an incomplete
    change. Example: the new certificate has been written, and the new key has not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._check_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="web-config", daemon=True)
        self._files = _Files()
        self._problems: list[ConfigProblem] = []
        self._problems_reported = False
        self._tls_changed = self._applied = self._refused = _do_nothing
        self._current = self._load()
        context = self._current.context
        self.ssl_context = CurrentContext(context) if context else None
        self.users = Users(self._current.hashes)

    @property
    def warnings(self) -> tuple[ConfigProblem, ...]:
        """The settings that are not recommended."""
        return self._current.loaded.warnings

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of every response."""
        return self._current.headers

    def summary(self) -> str:
        """Return a summary of the access that the web config allows, on one line."""
        tls = self._current.loaded.config.tls_server_config
        scheme = f"TLS, client certificates: {tls.client_auth_type}" if tls and self.ssl_context else "no TLS"
        return f"{scheme}; users: {len(self._current.hashes)}"

    def watch(self, tls_changed: Callable[[], None], applied: Callable[[], None], refused: Callable[[], None]) -> None:
        """Start to check the files every second, and call back when TLS changes, and after each reload."""
        self._tls_changed, self._applied, self._refused = tls_changed, applied, refused
        self._thread.start()

    def stop(self) -> None:
        """Stop checking."""
        self._stopping.set()

    def check(self, *, reports_problems: bool = False) -> list[ConfigProblem]:
        """Apply the files if they have changed; return the problems that prevent this.

        With `reports_problems`, the caller logs the problems, and they are not logged here too.
        """
        with self._check_lock:
            has_changed = self._files.have_changed()
            if has_changed:
                self._problems, self._problems_reported = self._apply(), False
            if self._problems and not self._problems_reported and (reports_problems or not has_changed):
                self._problems_reported = True
                self._refused()
                if not reports_problems:
                    self._log_problems()
            return self._problems

    def _watch(self) -> None:
        while not self._stopping.wait(CHECK_INTERVAL):
            try:
                self.check()
            except Exception:
                logger.exception("web config watch failed, changes need a restart")
                self._refused()
                return

    def _apply(self) -> list[ConfigProblem]:
        try:
            new = self._load(self._current)
        except ConfigError as error:
            return error.problems
        old, self._current = self._current, new
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
        if changed or (self._problems and self._problems_reported):
            logger.info("web config reloaded", changed=changed)
            self._applied()
        return []

    def _log_problems(self) -> None:
        for problem in self._problems:
            logger.error("web config reload failed, keeping the previous one", problem=str(problem))

    def _load(self, before: _Version | None = None) -> _Version:
        self._files = _Files()
        loaded = load_web(self._path, self._files.read)
        if before and before.loaded.source.data:
            require_content(self._path, loaded.source.data)  # the defaults would let everyone in
        if before and loaded.has_tls_of(before.loaded):
            return _Version(loaded, before.context)
        new = _Version(loaded, context_of(loaded))
        if before and bool(new.context) is not bool(before.context):
            message = "tls_server_config: a restart is needed to turn TLS on or off"
            raise ConfigError([loaded.source.problem(("tls_server_config",), message)])
        return new


def _do_nothing() -> None:
    """Do nothing: the callback before `watch`."""


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of the web config. Versions with equal TLS settings have the same context object."""

    loaded: LoadedWeb
    context: TlsContext | None

    @property
    def hashes(self) -> Mapping[str, str]:
        return self.loaded.config.basic_auth_users

    @property
    def headers(self) -> Mapping[str, str]:
        return self.loaded.config.http_server_config.headers.configured


class _Files:
    """The files of one version, with a digest of the content of each."""

    def __init__(self) -> None:
        self._digests: dict[Path, bytes] = {}

    def read(self, path: Path) -> bytes:
        """Return the content of a file, and store its digest."""
        self._digests[path] = b""  # this stays if the file cannot be read
        content = read_file(path)
        self._digests[path] = sha256(content).digest()
        return content

    def have_changed(self) -> bool:
        """Return whether the content of any file has changed since it was read."""
        now = _Files()
        for path in self._digests:
            with suppress(OSError):
                now.read(path)
        return now._digests != self._digests
