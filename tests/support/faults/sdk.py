"""The SDK's surroundings in the fault matrix: credentials, virtual time, host names and locks."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore.loaders

from tests.support.faults.environment import HOST

if TYPE_CHECKING:
    import pytest

    from tests.support.faults.environment import Environment

_getaddrinfo = socket.getaddrinfo
_create_loader = lru_cache(botocore.loaders.create_loader)


def patch_sdk(monkeypatch: pytest.MonkeyPatch, environment: Environment) -> None:
    """Set credentials, let the SDK use virtual time, and load its models from memory."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", environment.service.url)
    monkeypatch.setattr("botocore.endpoint.time.sleep", environment.host.pause)
    monkeypatch.setattr("botocore.credentials._local_now", lambda: datetime.fromtimestamp(environment.clock.now, UTC))
    monkeypatch.setattr("botocore.session.create_loader", _create_loader)
    monkeypatch.setattr("socket.getaddrinfo", _resolve)
    # A thread that renews credentials holds a lock while it waits for the rate limit.
    monkeypatch.setattr("botocore.credentials.threading", SimpleNamespace(Lock=environment.host.lock))


def _resolve(host: str, *rest: Any) -> Any:
    return _getaddrinfo("127.0.0.1" if host == HOST else host, *rest)
