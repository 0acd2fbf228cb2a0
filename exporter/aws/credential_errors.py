"""Errors of the credential chain as one sentence for the operator, which says what is wrong, and where."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import botocore.exceptions as boto_errors

from exporter.aws.credentials import EXPIRED
from exporter.aws.errors import translate
from exporter.aws.sdk_settings import profile_name, sdk_settings_error, setting_problems
from exporter.errors import ProviderError, Reason
from exporter.redaction import redact

if TYPE_CHECKING:
    from exporter.aws.credentials import Attempt
    from exporter.config import TargetConfig

MAX_LENGTH = 500  # characters of a message; a credential process may write more to stderr
CONTAINER_VARIABLE = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_FILE_VARIABLES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")


def credentials_error(error: Exception, target: TargetConfig, attempt: Attempt) -> ProviderError:
    """Return the error with reason `credentials` for any error of the chain: one line, without secrets."""
    known = error if isinstance(error, ProviderError) else translate(error, "")
    text = _text(error, target, known)
    message = f"{attempt.activity}: {text}" if attempt.activity else text
    line = " ".join(redact(message).split())
    return ProviderError(Reason.CREDENTIALS, line[:MAX_LENGTH], code=known.code if known else type(error).__name__)


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
        case RuntimeError():  # botocore found that the new credentials had expired
            text = EXPIRED
        case ValueError() if "Unsupported host" in str(error):  # raised by botocore before the request
            text = f"{CONTAINER_VARIABLE}: {error}"
        case ValueError() if problems := setting_problems(target):
            text = "; ".join(problems)
        case _:
            text = f"unusable response ({type(error).__name__}: {error})"
    return text


def _file_error(error: OSError) -> str:
    path = error.filename
    variable = next((name for name in _FILE_VARIABLES if path and os.environ.get(name) == path), None)
    return ": ".join(str(part) for part in (variable, path, error.strerror or type(error).__name__) if part)
