"""Checks of the web config that need more than one value: contradictions, and slow hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.config.web_types import IF_GIVEN, NO_CLIENT, TLS13_SUITES, VERIFIED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exporter.config.checks import Finding
    from exporter.config.yaml_source import Source

SLOW_COST = 15  # at this bcrypt cost, a verification takes two seconds or more


def cross_field_errors(source: Source) -> Iterator[Finding]:
    """Yield the contradictions between values.

    The check reads plain data, so that it also works when other values are invalid.
    """
    data = source.data.get("tls_server_config") if isinstance(source.data, dict) else None
    tls = {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else {}
    if not tls:
        return
    at = ("tls_server_config",)
    for key in ("cert", "key"):
        if key not in tls and f"{key}_file" not in tls:
            yield at, f"{key}_file: a value is required, because TLS needs a certificate and a key"
    for key in ("cert", "key", "client_ca"):
        if key in tls and f"{key}_file" in tls:
            yield (*at, f"{key}_file"), f"{key}_file: {key} is set too: remove one of them"
    for key, message in (*_clients(tls), *_versions(tls), *_curves(tls)):
        yield (*at, key), f"{key}: {message}"


def _clients(tls: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    policy = tls.get("client_auth_type", NO_CLIENT)
    given = next((key for key in ("client_ca_file", "client_ca") if key in tls), None)
    if given and policy == NO_CLIENT:
        yield given, f"has no effect, because no client certificate is requested: add client_auth_type: {VERIFIED}"
    if policy in (VERIFIED, IF_GIVEN) and not given:
        yield "client_auth_type", f"{policy} requires client_ca_file"
    if "client_allowed_sans" in tls and policy != VERIFIED:
        yield "client_allowed_sans", f"requires client certificates: add client_auth_type: {VERIFIED}"


def _versions(tls: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    least, most = tls.get("min_version", "TLS12"), tls.get("max_version", "TLS13")
    if (least, most) == ("TLS13", "TLS12"):
        yield "max_version", "TLS12 is below min_version, so no version remains"
    listed = tls.get("cipher_suites")
    suites = [suite for suite in listed if isinstance(suite, str)] if isinstance(listed, list) else []
    if 0 < sum(suite in suites for suite in TLS13_SUITES) < len(TLS13_SUITES):
        yield "cipher_suites", "the suites of TLS 1.3 are always enabled: list all three of them, or none"
    if least != "TLS13" and suites and all(suite in TLS13_SUITES for suite in suites):
        yield "cipher_suites", "no suite for TLS 1.2: add one, or set min_version: TLS13"


def _curves(tls: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    curves = tls.get("curve_preferences")
    if isinstance(curves, list) and len(curves) > 1:
        yield "curve_preferences", "more than one curve is not supported: Python's TLS accepts one"


def find_warnings(users: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the settings that work, but probably not as the operator expects."""
    for name, hashed in users.items():
        cost = int(hashed.split("$")[2])
        if cost >= SLOW_COST:
            message = f"{name}: at cost {cost}, the verification of a password takes seconds; 10 is usual"
            yield ("basic_auth_users", name), message
