"""How a target's credentials are obtained: by botocore's chain, with limits on its waits, and for the target's role.

Each attempt starts over with a new session. So it reads the environment, the files and the metadata services again, and
finds credentials that were rotated.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import botocore.exceptions as boto_errors
from botocore.config import Config as BotoConfig
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.session import Session as BotoSession

from exporter.aws.credential_errors import credentials_error
from exporter.aws.credential_process import limit_processes
from exporter.aws.credentials import AwsCredentials
from exporter.aws.response_limits import limit_responses
from exporter.aws.shared_models import share_models
from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.aws.credentials import Attempt
    from exporter.aws.hooks import RequestHooks
    from exporter.config import TargetConfig

MAX_ATTEMPTS = 2  # attempts of one request to STS or SSO; a failed attempt of the whole chain is repeated too
SESSION_NAME = "qbusiness-exporter"
_VARIABLES = dict(access_key="AWS_ACCESS_KEY_ID", secret_key="AWS_SECRET_ACCESS_KEY", token="AWS_SESSION_TOKEN")  # noqa: C408, S106 (names of variables)  # nosec B106


class CredentialChain:
    """Obtains credentials for one target; each call is one attempt."""

    def __init__(self, target: TargetConfig, region: str, timeout: float, user_agent: str, hooks: RequestHooks) -> None:
        """Create the chain; `timeout` limits a credential process, and the requests of the clients in the chain."""
        self._target = target
        self._region = region
        self._timeout = timeout
        self._hooks = hooks
        self._config = BotoConfig(
            connect_timeout=timeout / MAX_ATTEMPTS,
            read_timeout=timeout / MAX_ATTEMPTS,
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            user_agent=user_agent,
        )

    def __call__(self, attempt: Attempt) -> AwsCredentials:
        """Return credentials; raise ProviderError with reason `credentials` for any error."""
        try:
            return self._obtain(attempt)
        except Exception as error:  # noqa: BLE001 (botocore raises anything for a file or a response that it cannot use)
            # The cause is left out, because its traceback may quote the output of a credential process.
            raise credentials_error(error, self._target, attempt) from None

    def _obtain(self, attempt: Attempt) -> AwsCredentials:
        session = _ChainSession(self._target.profile, lambda client: self._prepare(client, attempt))
        share_models(session)
        session.set_config_variable("region", self._region)
        session.set_default_client_config(self._config)
        limit_processes(session, attempt, self._timeout)
        _refuse_prompts(session)
        credentials: Any = session.get_credentials()
        if credentials is None:
            message = "no AWS credentials found: configure a profile, a role or environment variables"
            raise ProviderError(Reason.CREDENTIALS, message, code="NoCredentials")
        frozen = _checked(credentials)
        if self._target.role_arn:
            credentials = self._assume(session, credentials, attempt)
            frozen = _checked(credentials)
        expiry = getattr(credentials, "_expiry_time", None)  # botocore has no public attribute
        return AwsCredentials(
            frozen.access_key, frozen.secret_key, frozen.token, expiry.timestamp() if expiry else None
        )

    def _prepare(self, client: Any, attempt: Attempt) -> None:
        limit_responses(client)
        self._hooks.attach_token_service(client, attempt)

    def _assume(self, session: BotoSession, source: Any, attempt: Attempt) -> DeferredRefreshableCredentials:
        """Return credentials of the target's role. They are fetched at first use."""
        arguments = {"RoleSessionName": SESSION_NAME}
        if self._target.external_id:
            arguments["ExternalId"] = self._target.external_id
        fetcher = AssumeRoleCredentialFetcher(
            session.create_client, source, self._target.role_arn or "", extra_args=arguments, cache={}
        )
        return DeferredRefreshableCredentials(
            method="assume-role",
            refresh_using=fetcher.fetch_credentials,
            time_fetcher=lambda: datetime.fromtimestamp(attempt.time(), UTC),
        )


class _ChainSession(BotoSession):
    """A session that prepares every client, including clients that botocore creates inside its chain."""

    def __init__(self, profile: str | None, prepare: Callable[[Any], None]) -> None:
        super().__init__(profile=profile)
        self._prepare = prepare

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        client = super().create_client(*arguments, **options)
        self._prepare(client)
        return client


def _refuse_prompts(session: BotoSession) -> None:
    """Raise an error where botocore would wait forever for an MFA code from the terminal."""

    def refuse(_prompt: str) -> str:
        message = "the profile has an mfa_serial, and the exporter cannot enter a code"
        raise boto_errors.CredentialRetrievalError(provider="assume-role", error_msg=message)

    provider = session.get_component("credential_provider").get_provider("assume-role")
    provider._prompter = refuse  # noqa: SLF001 (botocore takes no other)


def _checked(credentials: Any) -> Any:
    """Return the frozen credentials; raise ProviderError if they cannot be sent in a header, without quoting them."""
    frozen = credentials.get_frozen_credentials()
    for name, variable in _VARIABLES.items():
        value = getattr(frozen, name) or ""
        where = variable if credentials.method == "env" else f"the {name.replace('_', ' ')} from {credentials.method}"
        if "\n" in value or "\r" in value:
            raise ProviderError(Reason.CREDENTIALS, f"{where} contains a line break", code="Malformed")
        if not (value.isascii() and value.isprintable()) or " " in value:
            raise ProviderError(
                Reason.CREDENTIALS, f"{where} contains white space or special characters", code="Malformed"
            )
    return frozen
