"""Parsers of responses that leave the parts of a response as they are in the JSON.

botocore's own parsers follow the model of the API. One part of a wrong type, such as text in place of a job's document
counts, raises an exception, and with it all other jobs of the page are lost. A count of 12.5 becomes 12, and a time
that is not a time fails the page. So the providers parse the parts, and decide for each what a wrong one means. The
names of members in JSON are those of the model in all operations that the exporter uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.parsers import ResponseParserFactory

if TYPE_CHECKING:
    from botocore.model import Shape
    from botocore.parsers import ResponseParser


class UnparsedResponses(ResponseParserFactory):
    """Creates parsers that decode the JSON of a response, and the errors of the service, and parse nothing else."""

    def create_parser(self, protocol_name: str) -> ResponseParser:
        """Return a parser for a protocol."""
        parser: Any = super().create_parser(protocol_name)
        # botocore has no public way to return a part as it is. This method parses a part of any type.
        parser._parse_shape = _unparsed  # noqa: SLF001 (see above)
        return parser  # type: ignore[no-any-return] # Any, because of the method above


def _unparsed(_shape: Shape, node: object) -> object:
    return node
