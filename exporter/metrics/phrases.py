"""Phrases of HELP texts that several declarations share."""

from __future__ import annotations

AS_OF_DISCOVERY = "as of the last discovery run"
AS_OF_POLL = "as of the last poll"
IF_REPORTED = "Absent if the API does not report it."
