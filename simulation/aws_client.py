"""An AWS client without sockets, with botocore's serializer, parser and retry rules.

It omits signing and HTTP, which take most of the time of a request. Every response passes as bytes through the
program's hooks, botocore's parser and its retry rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

import botocore.exceptions as boto_errors
from botocore.awsrequest import HeadersDict
from botocore.hooks import HierarchicalEmitter
from botocore.retries import quota, standard

from exporter.aws import AwsClient
from exporter.aws.client import MAX_ATTEMPTS
from exporter.errors import ProviderError, Reason
from simulation.protocol import ServiceProtocol, protocol_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from botocore.model import OperationModel

    from exporter.aws.credentials import Attempt, AwsCredentials
    from exporter.config import TargetConfig
    from exporter.simulator.wire import ApiCall, Request, Response
    from simulation.virtual_host import VirtualHost

_MULTIPLE_CHOICES = 300


class CredentialIssuer(Protocol):
    """Issues credentials to the targets of an account."""

    def obtain(self, target: str, attempt: Attempt, host: VirtualHost) -> AwsCredentials:
        """Return the credentials of a target, or raise ProviderError."""

    def inherit(self, target: str, credentials: AwsCredentials | None) -> None:
        """Record the credentials with which the client of a target begins."""


class SimulatedNetwork(Protocol):
    """The network between a process and the service, and the record of its requests and responses."""

    rng: Random

    @property
    def credentials(self) -> CredentialIssuer:
        """The source of credentials."""

    def is_cut(self) -> bool:
        """Return whether no request reaches the service."""

    def parse_call(self, request: Request) -> ApiCall:
        """Return the call that a request makes."""

    def respond(self, target: str, request: Request) -> Response:
        """Return the service's response to a request of a target."""

    def latency(self) -> float:
        """Return the seconds that a response takes."""

    def account(self) -> str | None:
        """Return the account id that STS reports, or None when STS cannot be reached."""

    def record_attempt(self, target: str) -> None:
        """Record that a target sends a request."""

    def record_response(self, target: str, call: ApiCall, code: str, *, is_usable: bool) -> None:
        """Record the result of a request."""


class VirtualAwsClient(AwsClient):
    """An AWS client that sends nothing over a real network."""

    def __init__(
        self, network_of: Any, target: TargetConfig, polling: Any, observer: Any, host: VirtualHost, *rest: Any
    ) -> None:
        """Create the client of a target, whose network `network_of` returns."""
        super().__init__(target, polling, observer, host, *rest)
        self._network: SimulatedNetwork = network_of(target)
        self._host = host
        self._network.credentials.inherit(self.name, self.credentials.snapshot().valid)

    def account(self) -> str:
        """Return the account id, or raise ProviderError when STS cannot be reached."""
        if role_account := self.role_account():
            return role_account
        self.credentials.current()
        account = self._network.account()
        if account is None:
            raise ProviderError(Reason.CONNECTION, "STS cannot be reached", operation="GetCallerIdentity")
        return account

    def _obtain_credentials(self, attempt: Attempt) -> AwsCredentials:
        return self._network.credentials.obtain(self.name, attempt, self._host)

    def _make_client(self) -> Any:
        protocol = protocol_of(self._target.service)
        client = VirtualServiceClient(
            protocol, self._network, self._host, self.name, self._polling.timeout, self.credentials.current
        )
        self._hooks.attach(client)
        return client


@dataclass(frozen=True, slots=True)
class _Http:
    status_code: int


class VirtualServiceClient:
    """A client of a service that calls the simulated service directly."""

    def __init__(  # noqa: PLR0913, PLR0917 (all that it needs)
        self,
        protocol: ServiceProtocol,
        network: SimulatedNetwork,
        host: VirtualHost,
        target: str,
        timeout: float,
        sign: Callable[[], AwsCredentials],
    ) -> None:
        """Create the client of a target; `sign` returns the credentials of a request, or raises ProviderError."""
        self.meta = SimpleNamespace(events=HierarchicalEmitter(), service_model=protocol.model)
        self._protocol = protocol
        # The program replaces connection pools at this place, to limit the size of responses.
        pools = SimpleNamespace(pool_classes_by_scheme={})
        self._endpoint = SimpleNamespace(http_session=SimpleNamespace(_manager=pools, _pool_classes_by_scheme={}))
        self._network, self._host, self._target, self._timeout, self._sign = network, host, target, timeout, sign
        detector = standard.ThrottlingErrorDetector(standard.RetryEventAdapter())
        self._quota = standard.RetryQuotaChecker(quota.RetryQuota(), detector)
        self._policy = standard.RetryPolicy(
            standard.StandardRetryConditions(max_attempts=MAX_ATTEMPTS),
            standard.ExponentialBackoff(
                random=network.rng.random,
                service_name=protocol.event_name,
                throttling_detector=detector,
            ),
        )

    def __getattr__(self, method: str) -> Any:
        """Return the method of an operation."""
        operation = self._protocol.operations.get(method)
        if operation is None:
            raise AttributeError(method)
        return partial(self._call, operation)

    def _call(self, model: OperationModel, **arguments: Any) -> dict[str, Any]:
        request = self._protocol.request(model, arguments)
        context: Any = {}
        for number in count(1):
            http, parsed, error = self._attempt(model, request)
            if http and http.status_code < _MULTIPLE_CHOICES:
                self._quota.release_retry_quota(context, http)
                return dict(parsed)
            outcome = standard.RetryContext(number, model, parsed, http, error, context)
            if not (self._policy.should_retry(outcome) and self._quota.acquire_retry_quota(outcome)):
                raise error or boto_errors.ClientError(parsed, model.name)
            self._host.pause(self._policy.compute_retry_delay(outcome))
        raise AssertionError("botocore limits the number of attempts")

    def _attempt(self, model: OperationModel, request: Request) -> tuple[_Http | None, Any, Exception | None]:
        """Send a request once. The errors are the same as botocore's for the same failures."""
        events, network, event = self.meta.events, self._network, f"{self._protocol.event_name}.{model.name}"
        events.emit(f"before-sign.{event}", request=request)
        request = self._protocol.sign(request, self._sign().access_key)
        events.emit(f"before-send.{event}", request=request)
        network.record_attempt(self._target)
        is_cut = network.is_cut()
        response = None if is_cut else network.respond(self._target, request)
        call = network.parse_call(request)
        error = self._transmit(response)
        if response is None or error is not None:
            network.record_response(self._target, call, type(error).__name__, is_usable=False)
            events.emit(f"response-received.{event}", exception=error, parsed_response=None)
            return None, {}, error
        return _Http(response.status), self._parse(model, call, response), None

    def _transmit(self, response: Response | None) -> Exception | None:
        """Wait for a response to arrive; return an error if it does not."""
        if response is None:
            self._host.pause(0.01)
            return boto_errors.EndpointConnectionError(endpoint_url="simulated", error="refused")
        seconds = self._network.latency() + response.delay + response.byte_interval * len(response.body)
        self._host.pause(min(seconds, self._timeout))
        if seconds > self._timeout:
            return boto_errors.ReadTimeoutError(endpoint_url="simulated", error="timed out")
        if response.is_reset or response.missing_bytes:
            return boto_errors.ConnectionClosedError(endpoint_url="simulated", error="closed")
        return None

    def _parse(self, model: OperationModel, call: ApiCall, response: Response) -> dict[str, Any]:
        headers = HeadersDict({name.lower(): value for name, value in response.headers.items() if value})
        http = {"headers": headers, "status_code": response.status, "body": response.body, "context": {}}
        is_usable = False
        try:
            self.meta.events.emit(
                f"before-parse.{self._protocol.event_name}.{model.name}",
                operation_model=model,
                response_dict=http,
                customized_response_dict={},
            )
            parsed = self._protocol.parse(model, http)
            is_usable = response.status < _MULTIPLE_CHOICES and response.body != b"{}"
        finally:
            self._network.record_response(self._target, call, str(response.status), is_usable=is_usable)
        return parsed
