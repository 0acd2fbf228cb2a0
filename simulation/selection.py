"""The data sources and indexes that a configuration selects, by rules that are independent of the program's."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from simulation.settings import targets_of

if TYPE_CHECKING:
    from simulation.simulated_account import SimulatedAccount


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects by the names and ids of a configuration.

    The globs must match both names of a renamed data source, because discovery reads the new name later.
    """

    settings: dict[str, Any]

    def targets(self) -> set[str]:
        """Return the names of the targets."""
        return {target["name"] for target in self.settings["targets"]}

    def has_source(self, account: SimulatedAccount, root: str, source: str, name: str) -> bool:
        """Return whether a target names a data source by its id, or discovers it by names.

        `root` is the name of its outermost container.
        """
        known = {account.traits.service.root.word: root, "data_source": name}
        return any(
            source in _named(target, "data_source_id")
            or ("discovery" in target and _matches(target["discovery"], known))
            for target in targets_of(self.settings, account)
        )

    def may_have_index(self, account: SimulatedAccount, root: str, index: str) -> bool:
        """Return whether a target names a data source of an index, or may discover one."""
        return any(
            index in _named(target, account.traits.service.container.key)
            or ("discovery" in target and _matches(target["discovery"], {account.traits.service.root.word: root}))
            for target in targets_of(self.settings, account)
        )

    def has_known_accounts(self, account: SimulatedAccount, replaced: dict[str, Any]) -> bool:
        """Return whether all targets of an account know it before STS responds, after a reload of other settings.

        A role determines the account, and a target with the same access to AWS as a replaced one has the same account.
        With other credentials, a target may belong to another account.
        """
        accesses = {_access(target) for target in targets_of(replaced, account)}
        return all(
            target.get("role_arn") or {_access(target)} == accesses for target in targets_of(self.settings, account)
        )


def _access(target: dict[str, Any]) -> tuple[str | None, ...]:
    return tuple(target.get(key) for key in ("region", "endpoint_url", "role_arn"))


def _named(target: dict[str, Any], key: str) -> set[str]:
    return {source[key] for source in target.get("data_sources", ())}


def _matches(discovery: dict[str, Any], known: dict[str, str]) -> bool:
    """Return whether the filters match these names; without the name of a data source, whether they may match."""
    included, excluded = (
        [
            all(fnmatchcase(known[key], glob) for key, glob in matcher.items() if key in known)
            for matcher in discovery.get(kind, ())
            if kind == "include" or matcher.keys() <= known.keys()
        ]
        for kind in ("include", "exclude")
    )
    return (any(included) if "include" in discovery else True) and not any(excluded)
