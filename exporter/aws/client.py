"""Sessions, credentials and clients, with explicit settings where the SDK's defaults vary or could hang."""

from __future__ import annotations

import os
import platform
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions as boto_errors
from botocore.config import Config as BotoConfig
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.session import Session as BotoSession

from exporter import __version__
from exporter.aws.errors import translate
from exporter.aws.hooks import AwsClock, RequestHooks
from exporter.aws.response_limits import limit_responses
from exporter.errors import ProviderError, Reason, StartupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_qbusiness import QBusinessClient

    from exporter.aws.hooks import RequestObserver
    from exporter.config import PollingConfig, TargetConfig
    from exporter.runtime import Clock

MAX_ATTEMPTS = 3  # of one request, including the first
CONNECT_TIMEOUT = 5.0
STS_TIMEOUT = 3.0
MIN_CLIENT_AGE = 5.0  # seconds: a younger client is not replaced, so that not every poll makes a new one
_USER_AGENT = f"qbusiness-exporter/{__version__} Boto3/{boto3.__version__} Python/{platform.python_version()}"


def target_name(target: TargetConfig) -> str:
    """Return the name of a target, which defaults to its region. Raise StartupError if it has neither."""
    return target.name or target_region(target)


class AwsClient:
    """The boto3 client of a target, with its credentials and its region.

    The client is created when it is first used, and again after AWS or the SDK rejected its credentials. So credentials
    that are rotated in a file, or that become available late, are used without a restart.
    """

    def __init__(
        self,
        target: TargetConfig,
        polling: PollingConfig,
        observer: RequestObserver,
        clock: Clock,
        previous: AwsClient | None = None,
    ) -> None:
        """Create the client of a target; `previous` is the client that it replaces, whose AWS clock is kept."""
        self._target = target
        self._polling = polling
        self._clock = clock
        self._hooks = RequestHooks(observer, clock, previous.clock if previous else None)
        self._replaceable_at = 0.0
        self._client: QBusinessClient | None = None
        self._lock = threading.Lock()
        self.region = target_region(target)
        self.name = target_name(target)

    @property
    def clock(self) -> AwsClock:
        """AWS's clock, as set by the responses to this target."""
        return self._hooks.clock

    @property
    def partition(self) -> str:
        """The partition of the region, as in ARNs."""
        try:
            return str(BotoSession().get_partition_for_region(self.region))
        except boto_errors.UnknownRegionError:
            return "aws"

    @property
    def max_request_seconds(self) -> float:
        """The longest time of a request with all its attempts, without the SDK's pauses between them."""
        return MAX_ATTEMPTS * (min(CONNECT_TIMEOUT, self._polling.timeout) + self._polling.timeout)

    @contextmanager
    def client_for(self, operation: str) -> Iterator[QBusinessClient]:
        """Yield the client, and translate exceptions of its use into ProviderError."""
        with self._translate_errors(operation):
            yield self._get_client()

    def role_account(self) -> str | None:
        """Return the account of the role to assume, from its ARN; None without a role."""
        return self._target.role_arn.split(":")[4] if self._target.role_arn else None

    def account(self) -> str:
        """Return the account of the role, or the account that STS reports. Raise ProviderError if STS fails."""
        if role_account := self.role_account():
            return role_account
        with self._translate_errors("GetCallerIdentity"):
            # The first metrics wait for this request. STS may be unreachable, so it has short timeouts and no retries.
            sts_config = BotoConfig(
                connect_timeout=min(STS_TIMEOUT, self._polling.timeout),
                read_timeout=min(STS_TIMEOUT, self._polling.timeout),
                retries={"total_max_attempts": 1, "mode": "standard"},
                user_agent=_USER_AGENT,
            )
            base = BotoSession(profile=self._target.profile)
            client: Any = base.create_client("sts", region_name=self.region, config=sts_config)
            limit_responses(client)
            self._hooks.attach_sts(client)
            return str(client.get_caller_identity()["Account"])

    @contextmanager
    def _translate_errors(self, operation: str) -> Iterator[None]:
        try:
            yield
        except ProviderError as error:
            error.operation = error.operation or operation
            raise
        except Exception as error:
            translated = translate(error, operation)
            if translated is None:
                raise
            if translated.reason is Reason.CREDENTIALS and self._clock.monotonic() >= self._replaceable_at:
                self._client = None
            raise translated from error

    def _get_client(self) -> QBusinessClient:
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
                self._replaceable_at = self._clock.monotonic() + MIN_CLIENT_AGE
            return self._client

    def _make_client(self) -> QBusinessClient:
        base = BotoSession(profile=self._target.profile)
        credentials = base.get_credentials()
        if credentials is None:
            raise ProviderError(
                Reason.CREDENTIALS, "no AWS credentials found: configure a profile, a role or environment variables"
            )
        if self._target.role_arn:
            credentials = self._assume(base, credentials)
        # A separate session, because its timestamp parser must not affect the clients that refresh credentials. The
        # parser keeps times as text: a time that botocore cannot parse would fail the page with all its other jobs.
        session = BotoSession(profile=self._target.profile)
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=lambda value: value)
        session.register_component("credential_provider", CredentialResolver([_FixedCredentials(credentials)]))
        client = boto3.Session(botocore_session=session).client(
            "qbusiness",
            region_name=self.region,
            endpoint_url=self._target.endpoint_url,
            config=self._boto_config(),
        )
        limit_responses(client)
        self._hooks.attach(client)
        return client

    def _assume(self, base: BotoSession, source: Any) -> DeferredRefreshableCredentials:
        """Return credentials of the target's role, which are fetched at first use and refreshed before they expire."""
        arguments = {"RoleSessionName": "qbusiness-exporter"}
        if self._target.external_id:
            arguments["ExternalId"] = self._target.external_id

        def create_client(service: str, **keys: Any) -> Any:
            client = base.create_client(service, region_name=self.region, config=self._boto_config(), **keys)
            limit_responses(client)
            self._hooks.attach_sts(client)
            return client

        fetcher = AssumeRoleCredentialFetcher(
            create_client, source, self._target.role_arn or "", extra_args=arguments, cache={}
        )
        return DeferredRefreshableCredentials(
            method="assume-role",
            refresh_using=fetcher.fetch_credentials,
            time_fetcher=lambda: datetime.fromtimestamp(self._clock.time(), UTC),
        )

    def _boto_config(self) -> BotoConfig:
        return BotoConfig(
            connect_timeout=min(CONNECT_TIMEOUT, self._polling.timeout),
            read_timeout=self._polling.timeout,
            # The defaults of both differ between releases of botocore.
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            max_pool_connections=self._polling.concurrency,
            tcp_keepalive=True,
            # Computed once. botocore computes its own for every request, which takes a tenth of the time of a poll.
            user_agent=_USER_AGENT,
            # Requests contain ids that were validated or came from AWS. AWS validates them too.
            parameter_validation=False,
        )


class _FixedCredentials(CredentialProvider):
    """Provides credentials that the exporter has obtained already."""

    METHOD = "fixed"

    def __init__(self, credentials: Any) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Any:
        return self._credentials


def target_region(target: TargetConfig) -> str:
    """Return the region of a target, or that of the SDK. Raise StartupError if there is none."""
    subject = f"target {target.name}" if target.name else "the target"
    try:
        # Containers and functions of AWS have AWS_REGION. boto3 is the only SDK that does not read it.
        region = target.region or os.environ.get("AWS_REGION")
        if target.profile or not region:  # a missing profile is reported now, even if the region is known
            sdk_region = boto3.Session(profile_name=target.profile).region_name
            region = region or sdk_region
    except boto_errors.ProfileNotFound as error:
        raise StartupError(f"{subject}: {error}; set a `profile` that ~/.aws/config contains") from error
    if not region:
        raise StartupError(f"{subject} has no region: set `region` in the configuration, or AWS_REGION")
    return region
