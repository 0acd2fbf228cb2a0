"""The protocol of a service without sockets: botocore's serializer for its operations, and the exporter's parsers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

from exporter.aws.response_parsers import UnparsedResponses
from exporter.simulator.wire import Request

if TYPE_CHECKING:
    from botocore.model import OperationModel, StructureShape

    from exporter.domain.service import Service

_SIGNATURE = (
    "AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{name}/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)


class ServiceProtocol:
    """The operations of a service, the requests that they send, and the responses that they return."""

    def __init__(self, service: Service) -> None:
        self.model = ServiceModel(Loader().load_service_model(service.client, "service-2"), service.client)
        self.operations = {xform_name(name): self.model.operation_model(name) for name in self.model.operation_names}
        self.event_name = self.model.service_id.hyphenize()
        protocol = self.model.resolved_protocol
        self._serializer = create_serializer(protocol, include_validation=False)
        self._parser = UnparsedResponses().create_parser(protocol)
        self._signing_name = service.iam

    def request(self, operation: OperationModel, arguments: dict[str, Any]) -> Request:
        """Return the request of an operation, without a signature."""
        serialized = self._serializer.serialize_to_request(arguments, operation)
        # A list is a repeated parameter. The lists of the exporter have one entry.
        query = {
            name: ",".join(value) if isinstance(value, list) else str(value)
            for name, value in dict(serialized["query_string"]).items()
        }
        headers = {name.lower(): value for name, value in serialized["headers"].items()}
        body = bytes(serialized["body"]).decode()
        return Request(serialized["method"], unquote(serialized["url_path"]), query, headers, body)

    def sign(self, request: Request, access_key: str) -> Request:
        """Return a request whose signature contains an access key."""
        authorization = _SIGNATURE.format(key=access_key, name=self._signing_name)
        return replace(request, headers={**request.headers, "authorization": authorization})

    def parse(self, operation: OperationModel, http: dict[str, Any]) -> dict[str, Any]:
        """Return a response as the exporter's client parses it."""
        parsed: dict[str, Any] = self._parser.parse(http, cast("StructureShape", operation.output_shape))
        return parsed


@cache
def protocol_of(service: Service) -> ServiceProtocol:
    """Return the protocol of a service. Reading its model takes a second."""
    return ServiceProtocol(service)
