"""`policy`: print the least-privilege IAM policy for the configuration."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from exporter.aws.policy import (
    MAX_MANAGED_POLICY,
    assume_role_statement,
    policy_statements,
    queue_statements,
    required_permissions,
)
from exporter.cli.config_files import read
from exporter.cli.oneshot import OneShotTarget
from exporter.cli.output import print_output

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Sequence

    from exporter.config import Config, TargetConfig
    from exporter.domain.service import ArnScope


logger = structlog.get_logger()


def run(arguments: Namespace) -> int:
    """Print the policy, and log notes about its use."""
    config = read(arguments).config
    targets = [OneShotTarget(target, config.polling) for target in config.targets]
    document = policy(config, targets)
    for target in targets:
        if error := target.account_error:
            logger.warning("account id not available from STS", target=target.name, error=str(error))
    for note in _notes(config, targets, document):
        logger.warning("policy needs attention", note=note)
    print_output(json.dumps(document, indent=2))
    return 0


class PolicyTarget(Protocol):
    """A target whose ARNs are known."""

    @property
    def name(self) -> str:
        """The target's name."""

    @property
    def config(self) -> TargetConfig:
        """The target's configuration."""

    def arn_scope(self) -> ArnScope:
        """Return partition, region and account of the target's resources."""


def policy(config: Config, targets: Sequence[PolicyTarget]) -> dict[str, Any]:
    """Return one policy document for all targets."""
    result: list[dict[str, Any]] = []
    for target in targets:
        used = {statement["Sid"] for statement in result}
        # Names that differ only in punctuation result in the same prefix, but IAM requires unique statement ids.
        suffix = str(len(result))
        permissions = required_permissions(config, target.config)
        scope, prefix = target.arn_scope(), sid(target.name)
        of_service = policy_statements(target.config, scope, permissions, prefix)
        for statement in (*of_service, *queue_statements(target.config, scope, prefix)):
            unique = statement["Sid"] + (suffix if statement["Sid"] in used else "")
            result.append({**statement, "Sid": unique})
    roles = {target.role_arn for target in config.targets if target.role_arn}
    return {"Version": "2012-10-17", "Statement": [*result, *([assume_role_statement(roles)] if roles else [])]}


def sid(name: str) -> str:
    """Return a target's name as a prefix of statement ids, which IAM restricts to letters and digits."""
    return "".join(word.capitalize() for word in re.findall("[A-Za-z0-9]+", name)) or "Target"


def _notes(config: Config, targets: Sequence[PolicyTarget], document: dict[str, Any]) -> Iterator[str]:
    if any(target.role_arn for target in config.targets):
        yield "attach the statement AssumeRole to the identity of the exporter, and the other statements to the roles"
    if len(targets) > 1:
        names = ", ".join(f"{sid(target.name)}... for {target.name}" for target in targets)
        yield f"attach each statement to the role or user of its target: {names}"
    text = json.dumps(document)
    if any(f":*:{target.config.service.root.arn_kind}/" in text for target in targets):
        yield "account id not available without credentials: replace * in the ARNs with it"
    size = len(re.sub(r"\s", "", text))
    if size > MAX_MANAGED_POLICY:
        yield f"policy too long: {size} characters, a managed policy may have {MAX_MANAGED_POLICY}: split it by Sid"
