"""The rows of a whole state, independent of the kind of database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from exporter.domain.target_identity import provisional_key, target_identity
from exporter.errors import StartupError
from exporter.store import source_codec
from exporter.store.row_changes import KEY_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from exporter.store.row_changes import Row

StateRows = Mapping[str, Sequence["Row"]]
"""The rows of each table."""

_REMEDY = "run this release of the exporter with the file until it is ready, then stop it and copy the file"
_ACCOUNT, _WATCHED_SINCE = "account/", "watched since/"


def accounts_of(rows: StateRows) -> dict[str, str]:
    """Return the account of each target name."""
    return {key.removeprefix(_ACCOUNT): value for key, value in rows["target"] if key.startswith(_ACCOUNT)}


def split_by_target(rows: StateRows) -> Mapping[str, StateRows]:
    """Return the rows of each target of a state file, by the key of the target in a shared database.

    A state file does not have the target of every row. Rows without one become part of each target. The target that
    watches the data source continues with it, and the others remove it after a month. Raise StartupError if the file
    does not have the key that replicas would use for a data source, because they would not find its counts.
    """
    identities = (key.removeprefix(_WATCHED_SINCE) for key, _ in rows["target"] if key.startswith(_WATCHED_SINCE))
    known = {identity for identity in identities if identity.count("/") == 2}  # noqa: PLR2004
    accounts = accounts_of(rows)
    owners = {key: _target_of(text, accounts, known) for key, text in rows["data_source"]}
    targets = sorted({*owners.values(), *known})
    if rows["source"] and not targets:
        raise StartupError(f"the state file lacks the targets of its data sources: {_REMEDY}")
    split: dict[str, dict[str, list[Row]]] = {target: {table: [] for table in KEY_COLUMNS} for target in targets}
    for table in KEY_COLUMNS:
        for row in rows[table]:
            owner = owners.get(row[0])
            for target in targets if owner is None else (owner,):
                split[target][table].append(row)
    return split


def merge_targets(targets: Iterable[StateRows]) -> StateRows:
    """Return the rows of all targets. If several have the same data source, the last polled rows are used."""
    merged: dict[str, dict[tuple[str, ...], Row]] = {table: {} for table in KEY_COLUMNS}
    polled_at: dict[str, float] = {}
    for rows in targets:
        times = {key: float(json.loads(totals)["as_of"]) for key, totals in rows["source"]}
        older = {key for key, time in times.items() if time < polled_at.get(key, time)}
        polled_at |= {key: time for key, time in times.items() if key not in older}
        newer = times.keys() - older
        for jobs in [key for key in merged["job"] if key[0] in newer]:
            del merged["job"][jobs]
        for table, columns in KEY_COLUMNS.items():
            merged[table] |= {row[: len(columns)]: row for row in rows[table] if row[0] not in older}
    return {table: list(found.values()) for table, found in merged.items()}


def _target_of(text: str, accounts: Mapping[str, str], known: Collection[str]) -> str:
    saved = source_codec.load_saved_source(text)
    source, location = saved.source, saved.location
    service = source.id.service.name
    if location and location.account:
        return target_identity(service, location.account, location.region)
    if source.target not in accounts:
        return provisional_key(source.target)
    found = [identity for identity in known if identity.startswith(f"{service}/{accounts[source.target]}/")]
    if len(found) != 1:
        raise StartupError(f"the state file lacks the region of target {source.target}: {_REMEDY}")
    return found[0]
