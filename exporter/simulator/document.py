"""A document of a simulated data source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SimulatedDocument:
    """A document, with the error of one that failed. `overrides` replaces members of the API's response."""

    id: str
    status: str = "INDEXED"
    error_code: str = ""
    error_message: str = ""
    created: float = 1_700_000_000.0
    updated: float = 1_700_000_000.0
    overrides: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the API's entry for the document."""
        error = {"errorCode": self.error_code, "errorMessage": self.error_message}
        return {
            "documentId": self.id,
            "status": self.status,
            "error": {name: text for name, text in error.items() if text},
            "createdAt": self.created,
            "updatedAt": self.updated,
            **self.overrides,
        }

    def to_bedrock(self) -> dict[str, Any]:
        """Return the entry of Amazon Bedrock for the document."""
        reason = {"statusReason": self.error_message} if self.error_message else {}
        is_file = self.id.startswith("s3://")
        identifier = {"dataSourceType": "S3", "s3": {"uri": self.id}} if is_file else {}
        return {
            "status": self.status,
            "identifier": identifier or {"dataSourceType": "CUSTOM", "custom": {"id": self.id}},
            "updatedAt": self.updated,
            **reason,
            **self.overrides,
        }
