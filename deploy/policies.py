"""IAM documents of deploy/iam/: the output of `policy` for typical targets of each service, and trust policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.aws.policy import assume_role_statement
from exporter.cli.policy import policy
from exporter.config import Config, TargetConfig, parse_target
from exporter.domain.service import ArnScope
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.domain.service import Service

EXPORTERS_ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"
REGION = "us-east-1"
OIDC_PROVIDER = f"oidc.eks.{REGION}.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
SERVICE_ACCOUNT = "system:serviceaccount:monitoring:qbusiness-exporter"


@dataclass(frozen=True)
class ExampleTarget:
    """A target with a fixed account, so that no request to STS is needed."""

    config: TargetConfig
    account: str = EXPORTERS_ACCOUNT

    @property
    def name(self) -> str:
        """The name of the service, with which the ids of statements begin."""
        return self.config.service.name

    def arn_scope(self) -> ArnScope:
        """Return the partition, region and account of the target's resources."""
        return ArnScope("aws", REGION, self.account)


def documents() -> dict[str, dict[str, Any]]:
    """Return each document by file name."""
    role = f"arn:aws:iam::{OTHER_ACCOUNT}:role/qbusiness-exporter"
    return {
        **{file_name(service, kind): text for service in SERVICES.values() for kind, text in policies(service).items()},
        "assume-other-account.json": _document(assume_role_statement([role])),
        "trust-irsa.json": _document(_trust_irsa()),
        "trust-pod-identity.json": _document(_trust("pods.eks.amazonaws.com", "sts:AssumeRole", "sts:TagSession")),
        "trust-ec2.json": _document(_trust("ec2.amazonaws.com", "sts:AssumeRole")),
        "trust-other-account.json": _document(_trust_account()),
    }


def policies(service: Service) -> dict[str, dict[str, Any]]:
    """Return the policy for each kind of target of a service."""
    return {
        "discovery": _policy(service, {}),
        "discovery with tags": _policy(service, {"discovery": {"tag_labels": ["team"]}}),
        "named data sources": _policy(service, {"data_sources": [_named(service)]}),
        "other account": _policy(service, {}, OTHER_ACCOUNT),
    }


def file_name(service: Service, kind: str) -> str:
    """Return the name of the file with a policy. The names for the default service do not contain the service."""
    words = kind.replace(" ", "-")
    return f"{words}.json" if service is DEFAULT_SERVICE else f"{service.name}-{words}.json"


def _policy(service: Service, target: Mapping[str, Any], account: str = EXPORTERS_ACCOUNT) -> dict[str, Any]:
    config = Config(targets=(parse_target({"service": service.name, "region": REGION, **target}),))
    return policy(config, [ExampleTarget(config.targets[0], account)])


def _named(service: Service) -> dict[str, str]:
    """Return the configuration of a data source, with the name of its outermost container."""
    ids = {level.key: identifier for level, identifier in zip(service.levels, service.example.ids, strict=True)}
    return {**ids, service.root.word: service.example.container}


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _trust(service: str, *actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": list(actions)}


def _trust_irsa() -> dict[str, Any]:
    provider = f"arn:aws:iam::{EXPORTERS_ACCOUNT}:oidc-provider/{OIDC_PROVIDER}"
    claims = {f"{OIDC_PROVIDER}:aud": "sts.amazonaws.com", f"{OIDC_PROVIDER}:sub": SERVICE_ACCOUNT}
    return {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": claims},
    }


def _trust_account() -> dict[str, Any]:
    """Allow one role of the exporter's account to assume the role, if it passes the configured external id."""
    return {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{EXPORTERS_ACCOUNT}:role/qbusiness-exporter"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "6f0c1d2e"}},
    }
