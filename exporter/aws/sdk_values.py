"""Settings of the SDK with a number, a choice or a file of certificates: the values that botocore cannot use."""

from __future__ import annotations

import os
import ssl
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.domain.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.session import Session as BotoSession

# By the names that botocore has for the settings. It defines their values in several modules.
CHOICES = {
    "account_id_endpoint_mode": ("preferred", "disabled", "required"),
    "defaults_mode": ("legacy", "standard", "in-region", "cross-region", "mobile", "auto"),
    "ec2_metadata_service_endpoint_mode": ("ipv4", "ipv6"),
    "request_checksum_calculation": ("when_supported", "when_required"),
    "response_checksum_validation": ("when_supported", "when_required"),
    "sts_regional_endpoints": ("regional", "legacy"),
}
_IN_LOWER_CASE_ONLY = {"sts_regional_endpoints"}
_LARGEST = {"request_min_compression_size_bytes": 1_048_576}
_OVERRIDDEN = {"max_attempts"}  # the exporter sets it, so botocore does not read it
_CERTIFICATES = "write the path of a file with certificates in PEM format"


def value_problems(session: BotoSession, profile: dict[str, Any], origin: str) -> Iterator[str]:
    """Yield a sentence for each of these settings that has a value that botocore cannot use."""
    for name, (key, variable, _, convert) in session.session_var_map.items():
        if check := _check_of(name, convert):
            value = os.environ.get(variable, profile.get(key))
            if value is not None and (problem := check(str(value))):
                where = variable if variable in os.environ else f"{key} of {origin}"
                yield f"{where}: {quoted(str(value))} {problem}"
    if "ca_bundle" not in profile and "AWS_CA_BUNDLE" not in os.environ:
        bundle = os.environ.get("REQUESTS_CA_BUNDLE")
        if bundle is not None and (problem := _certificates_problem(bundle)):
            yield f"REQUESTS_CA_BUNDLE: {quoted(bundle)} {problem}"


def _check_of(name: str, convert: object) -> Callable[[str], str | None] | None:
    """Return what checks the value of a setting; None for a setting that accepts any value."""
    if name in CHOICES:
        return partial(_choice_problem, name)
    if name == "ca_bundle":
        return _certificates_problem
    if name in _LARGEST or (convert is int and name not in _OVERRIDDEN):
        return partial(_number_problem, _LARGEST.get(name))
    return None


def _choice_problem(name: str, value: str) -> str | None:
    choices, found = CHOICES[name], value if name in _IN_LOWER_CASE_ONLY else value.lower()
    *others, last = choices
    return None if found in choices else f"is not valid: write {', '.join(others)} or {last}"


def _number_problem(largest: int | None, value: str) -> str | None:
    if value.strip().isdecimal() and 0 < int(value) <= (largest or int(value)):
        return None
    return f"is not valid: write a whole number from 1{f' to {largest}' if largest else ''}"


def _certificates_problem(path: str) -> str | None:
    """Return why no certificates can be loaded from a file; None if they can."""
    if not path.strip():
        return f"is not a path: {_CERTIFICATES}"
    try:
        file = Path(path).stat()
        _require_certificates(path, (file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns))
    except ssl.SSLError:
        return f"has no certificates that can be read: {_CERTIFICATES}"
    except OSError as error:
        return f"cannot be read ({error.strerror}): {_CERTIFICATES}"
    return None


@lru_cache(maxsize=8)
def _require_certificates(path: str, _version: tuple[int, ...]) -> None:
    """Raise OSError unless certificates can be loaded from a version of a file.

    A bundle of all public authorities takes 20 ms or more, and each target has the same one. Only a success is cached.
    """
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
