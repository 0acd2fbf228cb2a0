"""`policy`: print the IAM policy that allows what the configuration needs, and nothing else."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any, Protocol

from exporter.cli.config_files import read
from exporter.cli.oneshot import OneShotTarget
from exporter.providers.registry import MAX_MANAGED_POLICY, assume_role, needed, statements

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from exporter.config import Config, TargetConfig
    from exporter.providers.registry import ArnScope


def run(arguments: Namespace) -> int:
    """Print the policy on stdout, and on stderr what to do with it."""
    config = read(arguments).config
    targets = [OneShotTarget(target, config.polling) for target in config.targets]
    document = policy(config, targets)
    for line in _advice(config, targets, document):
        print(f"qbusiness-exporter: {line}", file=sys.stderr)  # noqa: T201 (for the person)
    print(json.dumps(document, indent=2))  # noqa: T201 (the command's output)
    return 0


class Located(Protocol):
    """A target, and where its resources are."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def config(self) -> TargetConfig:
        """What the configuration says of it."""

    def place(self) -> ArnScope:
        """Where its resources are."""


def policy(config: Config, targets: Sequence[Located]) -> dict[str, Any]:
    """Make the policy document for all targets together."""
    found: list[dict[str, Any]] = []
    for target in targets:
        taken = {statement["Sid"] for statement in found}
        made = list(statements(target.config, target.place(), needed(target.config), sid(target.name)))
        # Names that differ in punctuation alone make the same ids, and those must be unique.
        again = {s["Sid"]: f"{s['Sid']}{len(found)}" if s["Sid"] in taken else s["Sid"] for s in made}
        found += [{**statement, "Sid": again[statement["Sid"]]} for statement in made]
    roles = {target.role_arn for target in config.targets if target.role_arn}
    return {"Version": "2012-10-17", "Statement": [*found, *([assume_role(roles)] if roles else [])]}


def sid(name: str) -> str:
    """Make of a target's name what a statement's id may have: letters and digits."""
    return "".join(word.capitalize() for word in re.findall("[A-Za-z0-9]+", name)) or "Target"


def _advice(config: Config, targets: Sequence[Located], document: dict[str, Any]) -> Iterator[str]:
    if any(target.role_arn for target in config.targets):
        yield "AssumeRole is for the exporter's own identity, the other statements are for the roles"
    if len(targets) > 1:
        names = ", ".join(f"{sid(target.name)}... for {target.name}" for target in targets)
        yield f"each statement is for one target's role or user: {names}"
    text = json.dumps(document)
    if ":*:application/" in text:
        yield "the account is not known without credentials: put its id where the ARNs have *"
    size = len(re.sub(r"\s", "", text))
    if size > MAX_MANAGED_POLICY:
        yield f"{size} characters, and a managed policy may have {MAX_MANAGED_POLICY}: split it by Sid"
