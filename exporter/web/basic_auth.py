"""Basic authentication against bcrypt hashes, at a cost that neither tells who exists nor lets a flood stop scrapes."""

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

MAX_WAITING = 100  # for bcrypt, which takes some 50 ms for each
MAX_WAITING_OF_ONE = 5  # of one client address
_BCRYPT_READS = 72  # bytes of a password: the algorithm never sees the others


class Users:
    """Who may ask, by name and bcrypt hash, and which password each was last seen to have."""

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = {name.encode(): hashed.encode() for name, hashed in hashes.items()}
        self._key = secrets.token_bytes()
        self._verified: dict[bytes, bytes] = {}
        self._nobody = secrets.token_bytes()

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def is_known(self, name: bytes, password: bytes) -> bool:
        """Tell at once whether this password was verified before."""
        return hmac.compare_digest(self._verified.get(name, self._nobody), self._digest(password))

    def verify(self, name: bytes, password: bytes) -> bool:
        """Tell whether a password is right, in the same time for users that do not exist; takes long on purpose."""
        hashed = self._hashes.get(name)
        # For who does not exist the hash of somebody else is tried, always the same for the same name: where costs
        # differ, the time tells nothing either.
        is_right = bcrypt.checkpw(password[:_BCRYPT_READS], hashed or self._stand_in(name))
        if hashed is None or not is_right:
            return False
        self._verified[name] = self._digest(password)
        return True

    def _stand_in(self, name: bytes) -> bytes:
        hashes = list(self._hashes.values())
        return hashes[int.from_bytes(self._digest(name)) % len(hashes)]

    def _digest(self, text: bytes) -> bytes:
        return hmac.digest(self._key, text[:_BCRYPT_READS], "sha256")


class HasUsers(Protocol):
    """Whatever knows the users of the moment."""

    @property
    def users(self) -> Users:
        """Give the users; none for a server that is open to everyone."""


class BasicAuthMiddleware:
    """Ask for a user's password on every path but a few."""

    def __init__(self, app: ASGIApp, web_config: HasUsers, free: Collection[str]) -> None:
        """`free` has the paths that answer to everyone."""
        self._app = app
        self._web_config = web_config
        self._free = free
        self._bcrypt = Lock()
        self._of_address: dict[str, Lock] = {}
        self._waiting: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app = self._app if scope["type"] != "http" or scope["path"] in self._free else await self._gate(scope)
        await app(scope, receive, send)

    async def _gate(self, scope: Scope) -> ASGIApp:
        users = self._web_config.users
        if not users:
            return self._app
        given = _credentials(Headers(scope=scope).get("authorization", ""))
        if given is None:
            return _unauthorized
        if users.is_known(*given):
            return self._app
        address = (scope.get("client") or ("",))[0]
        if self._waiting.total() >= MAX_WAITING or self._waiting[address] >= MAX_WAITING_OF_ONE:
            return _too_many
        return self._app if await self._verify(users, given, address) else _unauthorized

    async def _verify(self, users: Users, given: tuple[bytes, bytes], address: str) -> bool:
        """Let bcrypt decide, once at a time in all, addresses taking turns: whoever asks most waits longest."""
        self._waiting[address] += 1
        try:
            async with self._of_address.setdefault(address, Lock()), self._bcrypt:
                return users.is_known(*given) or await to_thread.run_sync(users.verify, *given, abandon_on_cancel=True)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
                self._of_address.pop(address, None)


def _credentials(header: str) -> tuple[bytes, bytes] | None:
    """Read the name and password of an Authorization header; None where there are none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
    except (NotBase64, ValueError):  # ValueError for what is not ASCII
        return None
    return (name, password) if colon else None


_unauthorized = PlainTextResponse(
    "Unauthorized: give a user name and password of basic_auth_users.\n",
    HTTPStatus.UNAUTHORIZED,
    headers={"WWW-Authenticate": 'Basic realm="qbusiness-exporter", charset="UTF-8"'},
)
_too_many = PlainTextResponse(
    "Too many passwords to check at once: try again.\n", HTTPStatus.TOO_MANY_REQUESTS, headers={"Retry-After": "5"}
)
