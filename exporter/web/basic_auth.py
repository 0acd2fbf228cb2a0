"""Basic authentication with bcrypt, without revealing user names, and without letting many requests delay scrapes.

A bcrypt check takes about 50 ms of CPU time on purpose. Three rules limit this cost:

- After a password was verified once, it is compared with a keyed digest. So a scrape needs bcrypt only the first time.
- Only one check runs at a time, and at most one request of each client address waits for it. So an address that sends
  many wrong passwords delays another address by one check only.
- The numbers of waiting requests are limited, in total and for each address. Further requests get status 429.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode
from binascii import Error as NotBase64
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

import bcrypt
from anyio import Lock, to_thread
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

MAX_WAITING = 100  # the number of requests that wait for bcrypt
MAX_WAITING_PER_ADDRESS = 5
_BCRYPT_MAX_BYTES = 72  # bcrypt ignores the bytes of a password after these


class Users:
    """The users with their bcrypt hashes, and a keyed digest of the password that was last verified for each."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = {name.encode(): hashed.encode() for name, hashed in hashes.items()}
        self._key = secrets.token_bytes()
        self._verified: dict[bytes, bytes] = {}
        self._no_digest = secrets.token_bytes()  # for users without a verified password; it equals no digest

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def was_verified(self, name: bytes, password: bytes) -> bool:
        """Return whether this password was verified before; fast."""
        return hmac.compare_digest(self._verified.get(name, self._no_digest), self._digest(password))

    def verify(self, name: bytes, password: bytes) -> bool:
        """Return whether a password is correct, after the same time for unknown users; slow on purpose."""
        hashed = self._hashes.get(name)
        # An unknown name is checked against the hash of another user. The same name always gets the same hash, so that
        # the duration does not reveal unknown names if the hashes have different costs.
        is_correct = bcrypt.checkpw(password[:_BCRYPT_MAX_BYTES], hashed or self._substitute(name))
        if hashed is None or not is_correct:
            return False
        self._verified[name] = self._digest(password)
        return True

    def _substitute(self, name: bytes) -> bytes:
        hashes = list(self._hashes.values())
        return hashes[int.from_bytes(self._digest(name)) % len(hashes)]

    def _digest(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text[:_BCRYPT_MAX_BYTES], "sha256")


class HasUsers(Protocol):
    """The current users of the web config."""

    @property
    def users(self) -> Users:
        """The users; without any, requests need no password."""


class BasicAuthMiddleware:
    """Requires the password of a user for all paths except the public ones."""

    def __init__(self, app: ASGIApp, web_config: HasUsers, public_paths: Collection[str]) -> None:
        self._app = app
        self._web_config = web_config
        self._public_paths = public_paths
        self._bcrypt_lock = Lock()
        self._address_locks: dict[str, Lock] = {}
        self._waiting: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        is_public = scope["type"] != "http" or scope["path"] in self._public_paths
        app = self._app if is_public else await self._authenticate(scope)
        await app(scope, receive, send)

    async def _authenticate(self, scope: Scope) -> ASGIApp:
        """Return the application if the request has a valid password, else the response that rejects it."""
        users = self._web_config.users
        if not users:
            return self._app
        credentials = _credentials(Headers(scope=scope).get("authorization", ""))
        if credentials is None:
            return _unauthorized
        if users.was_verified(*credentials):
            return self._app
        address = (scope.get("client") or ("",))[0]
        if self._waiting.total() >= MAX_WAITING or self._waiting[address] >= MAX_WAITING_PER_ADDRESS:
            return _too_many_requests
        return self._app if await self._verify(users, credentials, address) else _unauthorized

    async def _verify(self, users: Users, credentials: tuple[bytes, bytes], address: str) -> bool:
        """Return whether the credentials are valid, after the checks of earlier requests."""
        self._waiting[address] += 1
        try:
            async with self._address_locks.setdefault(address, Lock()), self._bcrypt_lock:
                if users.was_verified(*credentials):  # by another request that waited
                    return True
                return await to_thread.run_sync(users.verify, *credentials, abandon_on_cancel=True)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
                self._address_locks.pop(address, None)


def _credentials(header: str) -> tuple[bytes, bytes] | None:
    """Return the name and the password in an Authorization header; None if it has no valid ones."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
    except (NotBase64, ValueError):  # ValueError: not ASCII
        return None
    return (name, password) if colon else None


_unauthorized = PlainTextResponse(
    "Unauthorized: a user name and password of basic_auth_users are required.\n",
    HTTPStatus.UNAUTHORIZED,
    headers={"WWW-Authenticate": 'Basic realm="qbusiness-exporter", charset="UTF-8"'},
)
_too_many_requests = PlainTextResponse(
    "Too many password checks in progress: try again later.\n",
    HTTPStatus.TOO_MANY_REQUESTS,
    headers={"Retry-After": "5"},
)
