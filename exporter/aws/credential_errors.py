"""Errors of the credential chain as one sentence for the operator: what is wrong, and where."""

from __future__ import annotations

import configparser
import os
from typing import TYPE_CHECKING

import botocore.exceptions as boto_errors

from exporter.aws.credentials import EXPIRED
from exporter.aws.errors import translate
from exporter.errors import ProviderError, Reason
from exporter.redaction import redact

if TYPE_CHECKING:
    from exporter.aws.credentials import Attempt
    from exporter.config import TargetConfig

MAX_LENGTH = 500  # characters of a message; a helper may write more to stderr
PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_PROFILE_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
_INI_FORMAT = "write each section, such as [default], once, with lines of the form key = value"
_FILE_VARIABLES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")


def credentials_error(error: Exception, target: TargetConfig, attempt: Attempt) -> ProviderError:
    """Return the error with reason `credentials` for whatever the chain raised: one line, without secrets."""
    known = error if isinstance(error, ProviderError) else translate(error, "")
    text = _text(error, target, known)
    message = f"{attempt.activity}: {text}" if attempt.activity else text
    line = " ".join(redact(message).split())
    return ProviderError(Reason.CREDENTIALS, line[:MAX_LENGTH], code=known.code if known else type(error).__name__)


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
    files = " and ".join(os.environ.get(name, default) for name, default in _PROFILE_FILES)
    return f"{origin} could not be found in {files}"


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


def _text(error: Exception, target: TargetConfig, known: ProviderError | None) -> str:
    match error:
        case boto_errors.SSOError() | boto_errors.TokenRetrievalError():
            profile = profile_name(target)
            return f"profile {profile}: {error} Sign in with `aws sso login --profile {profile}`"
        case boto_errors.BotoCoreError():  # some are OSErrors too
            text = sdk_settings_error(target, error)
        case OSError():
            text = _file_error(error)
        case ProviderError() | boto_errors.ClientError():
            text = str(known)
        case RuntimeError():  # botocore compares the expiry of new credentials with the clock
            text = EXPIRED
        case _:
            text = f"unusable response ({type(error).__name__}: {error})"
    return text


def _file_error(error: OSError) -> str:
    path = error.filename
    variable = next((name for name in _FILE_VARIABLES if path and os.environ.get(name) == path), None)
    return ": ".join(str(part) for part in (variable, path, error.strerror or type(error).__name__) if part)
