"""The names of labels in Prometheus."""

from __future__ import annotations

import re

LABEL_NAME = "[a-zA-Z_][a-zA-Z0-9_]*"
"""The regular expression of a label name."""


def tag_label(key: str) -> str:
    """Return the label name of a tag. Characters that are not allowed in label names become underscores."""
    return "tag_" + re.sub(r"[^a-zA-Z0-9_]", "_", key)
