"""Sessions, credentials and clients, set up on purpose where the SDK's defaults differ or hang."""

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

ATTEMPTS = 3  # of one request, the first included
CONNECT_TIMEOUT = 5.0
ACCOUNT_TIMEOUT = 3.0
RENEW_AFTER = 5.0  # seconds that a client whose credentials were refused is kept, lest each poll make a new one
_AGENT = f"qbusiness-exporter/{__version__} Boto3/{boto3.__version__} Python/{platform.python_version()}"


def name_of(target: TargetConfig) -> str:
    """Give a target's name: its region's where it was given none; raises StartupError where there is neither."""
    return target.name or region_of(target)


class AwsClient:
    """A target's way to Amazon Q Business: its credentials, its region, its clients.

    The client is made at first use, and made anew after its credentials were refused, so that what was rotated in a
    file or arrived late is found without a restart.
    """

    def __init__(
        self,
        target: TargetConfig,
        polling: PollingConfig,
        observer: RequestObserver,
        clock: Clock,
        before: AwsClient | None = None,
    ) -> None:
        """`before` is a connection that this one goes on from: it knows AWS's clock."""
        self._target = target
        self._polling = polling
        self._clock = clock
        self._hooks = RequestHooks(observer, clock, before.clock if before else None)
        self._renewable_at = 0.0
        self._client: QBusinessClient | None = None
        self._lock = threading.Lock()
        self.region = region_of(target)
        self.name = name_of(target)

    @property
    def clock(self) -> AwsClock:
        """Give AWS's clock as this target's answers set it."""
        return self._hooks.clock

    @property
    def partition(self) -> str:
        """Give the partition of the region, the first part of its ARNs."""
        try:
            return str(BotoSession().get_partition_for_region(self.region))
        except boto_errors.UnknownRegionError:
            return "aws"

    @property
    def max_request_seconds(self) -> float:
        """Give the seconds that a request may take with all its attempts, but for what the SDK sleeps in between."""
        return ATTEMPTS * (min(CONNECT_TIMEOUT, self._polling.timeout) + self._polling.timeout)

    @contextmanager
    def client_for(self, operation: str) -> Iterator[QBusinessClient]:
        """Lend the client; raises ProviderError for whatever goes wrong inside."""
        with self._translating(operation):
            yield self._get_client()

    def role_account(self) -> str | None:
        """Tell the account of the role that is assumed, which its ARN says."""
        return self._target.role_arn.split(":")[4] if self._target.role_arn else None

    def account(self) -> str:
        """Tell which account this is: the role's, else whom STS says we are; raises ProviderError where it does not."""
        if role_account := self.role_account():
            return role_account
        with self._translating("GetCallerIdentity"):
            # Asked before anything is shown: where STS cannot be reached from here, nobody shall wait for it.
            quick = BotoConfig(
                connect_timeout=min(ACCOUNT_TIMEOUT, self._polling.timeout),
                read_timeout=min(ACCOUNT_TIMEOUT, self._polling.timeout),
                retries={"total_max_attempts": 1, "mode": "standard"},
                user_agent=_AGENT,
            )
            base = BotoSession(profile=self._target.profile)
            client: Any = base.create_client("sts", region_name=self.region, config=quick)
            limit_responses(client)
            self._hooks.attach_sts(client)
            return str(client.get_caller_identity()["Account"])

    @contextmanager
    def _translating(self, operation: str) -> Iterator[None]:
        try:
            yield
        except ProviderError as error:
            error.operation = error.operation or operation
            raise
        except Exception as error:
            ours = translate(error, operation)
            if ours is None:
                raise
            if ours.reason is Reason.CREDENTIALS and self._clock.monotonic() >= self._renewable_at:
                self._client = None
            raise ours from error

    def _get_client(self) -> QBusinessClient:
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
                self._renewable_at = self._clock.monotonic() + RENEW_AFTER
            return self._client

    def _make_client(self) -> QBusinessClient:
        base = BotoSession(profile=self._target.profile)
        credentials = base.get_credentials()
        if credentials is None:
            raise ProviderError(
                Reason.CREDENTIALS, "no AWS credentials found: set a profile, a role or the environment"
            )
        if self._target.role_arn:
            credentials = self._assume(base, credentials)
        # A session of its own, since the timestamp parser must not reach those that renew credentials. Times stay as
        # they came: one that botocore cannot read would fail the page, and with it every other job.
        session = BotoSession(profile=self._target.profile)
        session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=lambda value: value)
        session.register_component("credential_provider", CredentialResolver([_Given(credentials)]))
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
        """Make credentials of the target's role, which are fetched when they are needed and before they expire."""
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
            # Set on purpose: both differ between releases of botocore.
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=self._polling.concurrency,
            tcp_keepalive=True,
            # Made once: botocore's own is put together anew for every request, a tenth of what a poll costs.
            user_agent=_AGENT,
            # What is sent are ids that were checked or came from AWS; AWS checks them too.
            parameter_validation=False,
        )


class _Given(CredentialProvider):
    """Provides credentials that are already at hand."""

    METHOD = "given"

    def __init__(self, credentials: Any) -> None:
        super().__init__()
        self._credentials = credentials

    def load(self) -> Any:
        return self._credentials


def region_of(target: TargetConfig) -> str:
    """Return a target's region: configured, else the SDK's own; raise StartupError where there is none."""
    place = f"target {target.name}" if target.name else "the target"
    try:
        # AWS_REGION is what containers and functions of AWS have; boto3 alone of the SDKs does not read it.
        region = target.region or os.environ.get("AWS_REGION")
        if target.profile or not region:  # a profile that is not there is to be told of at once
            own = boto3.Session(profile_name=target.profile).region_name
            region = region or own
    except boto_errors.ProfileNotFound as error:
        raise StartupError(f"{place}: {error}; give a `profile` that ~/.aws/config has") from error
    if not region:
        raise StartupError(f"{place} has no region: set `region` in the configuration, or AWS_REGION")
    return region
