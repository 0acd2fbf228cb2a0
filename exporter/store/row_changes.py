"""The rows that a transaction replaces and deletes, for every kind of database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = tuple[str, ...]

KEY_COLUMNS = {
    "source": ("key",),
    "job": ("source", "execution_id"),
    "name": ("key",),
    "target": ("key",),
    "data_source": ("key",),
    "documents": ("key",),
}
"""The columns of the primary key of each table. They come first in a row, followed by one column with text."""


@dataclass(frozen=True, slots=True)
class RowChanges:
    """The changes of one table: complete rows to insert or replace, and the keys of rows to delete."""

    table: str
    replaced: Sequence[Row] = ()
    deleted: Sequence[Row] = ()
