"""Sessions, credentials and clients, with explicit settings where the SDK's defaults vary or may cause a hang."""

from __future__ import annotations

import platform
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.exceptions as boto_errors
from botocore.config import Config as BotoConfig
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    Credentials,
    ReadOnlyCredentials,
)
from botocore.regions import EndpointResolver
from botocore.session import Session as BotoSession

from exporter import __version__
from exporter.aws.credential_cache import CredentialCache
from exporter.aws.credential_chain import CredentialChain
from exporter.aws.credentials import CredentialObserver
from exporter.aws.errors import translated_errors
from exporter.aws.hooks import RequestHooks
from exporter.aws.response_limits import limit_responses
from exporter.aws.response_parsers import UnparsedResponses
from exporter.aws.sdk_settings import client_settings
from exporter.aws.shared_models import endpoints, share_models
from exporter.aws.sqs_queue import SqsQueue
from exporter.aws.target_name import require_botocore, require_sdk_settings, role_account, target_name, target_region
from exporter.errors import ProviderError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.aws.credentials import Attempt, AwsCredentials
    from exporter.aws.hooks import RequestObserver
    from exporter.config import PollingConfig, TargetConfig
    from exporter.runtime import AwsClock, Host

MAX_ATTEMPTS = 3  # attempts of one request, including the first one
CONNECT_TIMEOUT = 5.0
STS_TIMEOUT = 3.0
_USER_AGENT = f"qbusiness-exporter/{__version__} Boto3/{boto3.__version__} Python/{platform.python_version()}"


class AwsClient:
    """The boto3 client of a target, with its credentials and its region.

    Every request is signed with the credentials that the cache has at that time. So the client uses credentials that
    are rotated, or that become available late, without a restart.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what it connects)
        self,
        target: TargetConfig,
        polling: PollingConfig,
        observer: RequestObserver,
        host: Host,
        previous: AwsClient | None = None,
        credential_observer: CredentialObserver | None = None,
    ) -> None:
        """Create the client of a target; raise StartupError if the settings of the SDK cannot be used.

        `previous` is the client that it replaces. It uses the AWS clock of that client, and its credentials if the
        identity is the same.
        """
        self._target = target
        self._polling = polling
        self._hooks = RequestHooks(observer, host, previous.clock if previous else None)
        self._client: Any = None
        self._lock = threading.Lock()
        self.region = target_region(target)
        self.name = target_name(target)
        require_botocore(target)
        require_sdk_settings(target)
        self.credentials: CredentialCache = CredentialCache(
            self._obtain_credentials,
            polling.timeout,
            host,
            credential_observer or CredentialObserver(),
            previous.credentials if previous and self._uses_credentials_of(previous) else None,
        )

    @property
    def clock(self) -> AwsClock:
        """AWS's clock, as set by the responses to this target."""
        return self._hooks.clock

    @property
    def partition(self) -> str:
        """The partition of the region, as in ARNs."""
        return _partition(self.region)

    @property
    def max_request_seconds(self) -> float:
        """The longest duration of a request with all its attempts, without the SDK's pauses between them."""
        return MAX_ATTEMPTS * (min(CONNECT_TIMEOUT, self._polling.timeout) + self._polling.timeout)

    def _obtain_credentials(self, attempt: Attempt) -> AwsCredentials:
        return CredentialChain(self._target, self.region, self._polling.timeout, _USER_AGENT, self._hooks)(attempt)

    @contextmanager
    def client_for(self, operation: str) -> Iterator[Any]:
        """Yield the client, and translate exceptions from its use into ProviderError."""
        with self._translate_errors(operation):
            yield self._get_client()

    def role_account(self) -> str | None:
        """Return the account of the role to assume, from its ARN; None without a role."""
        return role_account(self._target)

    def account(self) -> str:
        """Return the account of the role, or the account that STS reports. Raise ProviderError if STS fails."""
        if role_account := self.role_account():
            return role_account
        with self._translate_errors("GetCallerIdentity"):
            # The first metrics wait for this request, and STS may be unreachable. So it has short timeouts and no
            # retries.
            sts_config = BotoConfig(
                connect_timeout=min(STS_TIMEOUT, self._polling.timeout),
                read_timeout=min(STS_TIMEOUT, self._polling.timeout),
                retries={"total_max_attempts": 1, "mode": "standard"},
                user_agent=_USER_AGENT,
            )
            session = self._session()
            with client_settings(self._target):
                client: Any = session.create_client("sts", region_name=self.region, config=sts_config)
            limit_responses(client)
            self._hooks.attach_sts(client)
            return str(client.get_caller_identity()["Account"])

    def message_queue(self, url: str, longest_wait: int, observer: RequestObserver) -> SqsQueue:
        """Return a queue that is read with the credentials of the target; a request waits for `longest_wait` seconds.

        Its responses do not set the target's AWS clock, which must not depend on another service.
        """
        config = self._boto_config().merge(BotoConfig(read_timeout=self._polling.timeout + longest_wait))
        return SqsQueue(url, self._session, config, self.region, self._hooks.with_own_clock(observer))

    def close(self) -> None:
        """Obtain no further credentials, and end every wait for them."""
        self.credentials.stop()

    @contextmanager
    def _translate_errors(self, operation: str) -> Iterator[None]:
        with translated_errors(operation, self._observe_error):
            yield
        self.credentials.accepted(operation)

    def _observe_error(self, error: ProviderError) -> None:
        """Report to the cache whether AWS accepted the credentials, if an error shows it."""
        if error.reason is Reason.CREDENTIALS:
            self.credentials.refused(error)
        elif error.is_refusal:
            self.credentials.accepted(error.operation)

    def _get_client(self) -> Any:
        self.credentials.current()  # this may wait, so it comes before the lock
        with self._lock:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _make_client(self) -> Any:
        session = self._session()
        session.register_component("response_parser_factory", UnparsedResponses())
        with client_settings(self._target):
            client: Any = session.create_client(
                self._target.service.client,
                region_name=self.region,
                endpoint_url=self._target.endpoint_url,
                config=self._boto_config(),
            )
        limit_responses(client)
        self._hooks.attach(client)
        return client

    def _session(self) -> BotoSession:
        """Return a session whose clients sign each request with the credentials of the cache."""
        self.credentials.current()  # the credential chain reports a profile that cannot be used
        session = BotoSession(profile=self._target.profile)
        share_models(session)
        session.register_component("credential_provider", CredentialResolver([_CacheProvider(self.credentials)]))
        return session

    def _uses_credentials_of(self, other: AwsClient) -> bool:
        def identity(target: TargetConfig) -> tuple[str | None, ...]:
            return target.profile, target.role_arn, target.external_id

        return identity(self._target) == identity(other._target) and self.region == other.region

    def _boto_config(self) -> BotoConfig:
        return BotoConfig(
            connect_timeout=min(CONNECT_TIMEOUT, self._polling.timeout),
            read_timeout=self._polling.timeout,
            # The defaults of both differ between releases of botocore.
            retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
            max_pool_connections=self._polling.concurrency + 2,  # the workers, discovery and the document count
            tcp_keepalive=True,
            # Computed once, because botocore would compute one for every request, which takes a tenth of the time of a
            # poll.
            user_agent=_USER_AGENT,
            # Requests contain ids that were validated or came from AWS. AWS validates them too.
            parameter_validation=False,
        )


class _CachedCredentials(Credentials):
    """The credentials in the cache as a botocore object. They may change between two requests."""

    def __init__(self, cache: CredentialCache) -> None:
        super().__init__("", "", method="exporter")
        self._cache = cache

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        current = self._cache.current()
        return ReadOnlyCredentials(current.access_key, current.secret_key, current.token)


class _CacheProvider(CredentialProvider):
    """Provides the credentials of the cache to a botocore session."""

    METHOD = "exporter"

    def __init__(self, cache: CredentialCache) -> None:
        super().__init__()
        self._cache = cache

    def load(self) -> Credentials:
        return _CachedCredentials(self._cache)


@cache
def _partition(region: str) -> str:
    """Return the partition of a region; `aws` if the SDK does not know the region.

    The resolver reads only data that botocore contains. A session would also read the files with the profiles, and if
    they were broken, the partition would be wrong.
    """
    try:
        return str(EndpointResolver(endpoints()).get_partition_for_region(region))
    except boto_errors.UnknownRegionError:
        return "aws"
