"""The models of the services and their endpoints, which botocore reads from its files: once for all clients.

A session of botocore reads and parses them for itself, which takes longer than everything else in the creation of a
client, and several megabytes of memory. Each target has a session, and each attempt to obtain its credentials another.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader, create_loader

if TYPE_CHECKING:
    from botocore.session import Session as BotoSession


def share_models(session: BotoSession) -> None:
    """Allow a session to use what others have read; raise BotoCoreError if its profile cannot be used."""
    session.register_component("data_loader", _loader(session.get_config_variable("data_path")))


def endpoints() -> dict[str, Any]:
    """Return the regions and the endpoints of the services, as botocore contains them."""
    found: dict[str, Any] = _loader(None).load_data("endpoints")
    return found


class _SharedLoader(Loader):
    """A loader for several threads. The first one that needs a model reads it, and the others wait for that."""

    def __init__(self, search_path: str | None) -> None:
        super().__init__(create_loader(search_path).search_paths, include_default_search_paths=False)
        self._lock = threading.RLock()

    def load_service_model(self, *arguments: Any, **options: Any) -> Any:
        with self._lock:
            return super().load_service_model(*arguments, **options)

    def load_data_with_path(self, name: str) -> Any:
        with self._lock:
            return super().load_data_with_path(name)


@cache
def _loader(search_path: str | None) -> Loader:
    return _SharedLoader(search_path)
