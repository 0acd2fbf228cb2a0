"""Settings of the SDK that cannot be used, as sentences for the operator: variables, profiles and their files.

botocore reads most settings only when it creates a client, and some only when it sends a request. Then it raises an
error that names neither the variable nor the file, for example for `AWS_ENDPOINT_URL=localhost:4566`. So the exporter
checks them when it starts.
"""

from __future__ import annotations

import configparser
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import botocore.exceptions as boto_errors
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.session import Session as BotoSession
from botocore.utils import get_environ_proxies, is_valid_uri

from exporter.aws.sdk_values import value_problems
from exporter.domain.quoting import quoted
from exporter.errors import ProviderError, Reason
from exporter.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.config import TargetConfig

PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_PROFILE_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
_INI_FORMAT = "write each section, such as [default], once, with lines of the form key = value"
_SERVICES_FORMAT = "write sts =, and below it the indented line endpoint_url = https://host"
_TOKEN_CLIENTS = ("sts", "sso", "sso-oidc")


def setting_problems(target: TargetConfig) -> list[str]:
    """Return a sentence for each setting of the SDK with a value that botocore cannot use.

    A profile that cannot be read is not among them: the credential chain reports it, and it may be repaired while the
    exporter runs.
    """
    # No request is sent, and to register the handlers of requests takes most of the time of a session.
    session = BotoSession(profile=target.profile, include_builtin_handlers=False)
    try:
        profile: dict[str, Any] = session.get_scoped_config()
    except boto_errors.BotoCoreError:
        return []
    origin = f"the profile {profile_name(target)} in {_file(*_PROFILE_FILES[0])}"
    problems = (*value_problems(session, profile, origin), *_url_problems(target, session, profile, origin))
    return list(dict.fromkeys(problems))


@contextmanager
def client_settings(target: TargetConfig) -> Iterator[None]:
    """Raise ProviderError with the invalid settings if botocore cannot create a client with them.

    The settings were valid at the start. So a file has changed since then, or the setting is one that is not checked.
    """
    try:
        yield
    except (AttributeError, TypeError, ValueError, boto_errors.BotoCoreError) as error:
        problems = setting_problems(target)
        if isinstance(error, boto_errors.BotoCoreError) and not problems:
            raise
        text = "; ".join(problems) or redact(f"{type(error).__name__}: {error}")
        raise ProviderError(Reason.CONNECTION, text, code="InvalidSetting") from error


def sdk_settings_error(target: TargetConfig, error: boto_errors.BotoCoreError) -> str:
    """Return a sentence about a profile that does not exist, or a file of the SDK that cannot be parsed.

    The sentence has the number of the line, and not the line, which may contain a secret key.
    """
    match error:
        case boto_errors.ProfileNotFound():
            return _missing_profile(target, str(error.kwargs["profile"]))
        case boto_errors.ConfigParseError():
            place = ":".join((str(error.kwargs["path"]), *_line_number(error.kwargs.get("error"))))
            return f"{place}: cannot be parsed: {_INI_FORMAT}"
        case _:
            return str(error)


def profile_name(target: TargetConfig) -> str:
    """Return the profile that a target uses."""
    named = (os.environ[name] for name in PROFILE_VARIABLES if os.environ.get(name))
    return target.profile or next(named, "default")


def _missing_profile(target: TargetConfig, profile: str) -> str:
    variable = next((name for name in PROFILE_VARIABLES if os.environ.get(name) == profile), None)
    origin = f"the profile {profile} of {variable}" if variable and not target.profile else f"the profile {profile}"
    return f"{origin} could not be found in {' and '.join(_file(*each) for each in _PROFILE_FILES)}"


def _file(variable: str, default: str) -> str:
    return os.environ.get(variable, default)


def _line_number(error: object) -> tuple[str, ...]:
    """Return the number of the first line that configparser rejected; nothing if the error has none."""
    match error:
        case configparser.ParsingError(errors=[(int(line), _), *_]):
            return (str(line),)
        case (
            configparser.MissingSectionHeaderError(lineno=int(line))
            | configparser.DuplicateSectionError(lineno=int(line))
            | configparser.DuplicateOptionError(lineno=int(line))
        ):
            return (str(line),)
        case _:
            return ()


def _url_problems(target: TargetConfig, session: BotoSession, profile: dict[str, Any], origin: str) -> Iterator[str]:
    has_proxies = bool(getproxies())  # most hosts have none, and to look for that of each URL takes longer
    for client in (target.service.client, *_TOKEN_CLIENTS):
        endpoint = target.endpoint_url if client == target.service.client else None
        is_configured = bool(endpoint)
        if not is_configured:
            try:
                endpoint = _configured_endpoint(session, profile, client)
            except (boto_errors.InvalidConfigError, AttributeError):
                yield f"services of {origin}: [services {profile['services']}] cannot be used: {_SERVICES_FORMAT}"
                return
        if endpoint and not (_is_url(endpoint) and is_valid_uri(endpoint)):
            where = "endpoint_url" if is_configured else _place_of(endpoint, client, profile, origin)
            yield f"{where}: {_shown(endpoint)} is not a URL with a valid host: write https://host or http://host:port"
        elif has_proxies:
            yield from _proxy_problems(endpoint or f"https://{client}.amazonaws.com")


def _configured_endpoint(session: BotoSession, profile: dict[str, Any], client: str) -> str | None:
    """Return the endpoint that botocore takes from the environment or the profile; None without one."""
    if session.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    found: str | None = ConfiguredEndpointProvider(session.full_config, profile, client).provide()
    return found


def _place_of(endpoint: str, client: str, profile: dict[str, Any], origin: str) -> str:
    """Return the variable, or else the setting of the profile, with the endpoint of a client."""
    if variable := _variable_with(endpoint, "AWS_ENDPOINT_URL"):
        return variable
    if endpoint == profile.get("endpoint_url"):
        return f"endpoint_url of {origin}"
    return f"endpoint_url of {client} in the services of {origin}"


def _proxy_problems(url: str) -> Iterator[str]:
    """Yield why the environment's proxy for a URL cannot be used; nothing if NO_PROXY excludes the URL."""
    proxy = get_environ_proxies(url).get(urlsplit(url).scheme)
    if proxy and not _is_url(proxy if "://" in proxy else f"http://{proxy.removeprefix('//')}"):
        where = _variable_with(proxy, "HTTP") or "the proxy of the system"
        yield f"{where}: {_shown(proxy)} is not the URL of a proxy: write http://host:port or https://host:port"


def _variable_with(value: str, prefix: str) -> str | None:
    """Return the first variable that has a value and a name with this prefix, in any case; None without one."""
    return next(
        (name for name in sorted(os.environ) if name.upper().startswith(prefix) and os.environ[name] == value), None
    )


def _shown(url: str) -> str:
    """Return a URL in quotes without its password. `quoted` recognizes a URL by its scheme only."""
    return quoted(url if "://" in url else redact(f"http://{url}").removeprefix("http://"))


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
