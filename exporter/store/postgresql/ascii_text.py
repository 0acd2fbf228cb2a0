"""Text in ASCII, because the encoding of the database may lack characters of names and addresses.

PostgreSQL rejects NUL and a lone surrogate in any encoding, and a name from AWS may contain them. One rejected text
would fail all statements of its transaction.
"""

from __future__ import annotations

import json


def encode(text: str) -> str:
    """Return a text in ASCII, with the escape sequences of JSON."""
    return json.dumps(text)[1:-1]


def decode(text: str) -> str:
    """Return a text from `encode`."""
    return str(json.loads(f'"{text}"'))
