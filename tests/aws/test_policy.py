"""The permissions that a target needs, and the policy statements that grant them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from exporter.aws.policy import assume_role_statement, policy_statements, queue_statements, required_permissions
from exporter.config import Config, TargetConfig, parse_target
from exporter.domain.service import ArnScope
from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from exporter.domain.service import Service

APPLICATION, INDEX, SOURCE = "a" * 36, "i" * 36, "d" * 36
SCOPE = ArnScope("aws", "us-east-1", "111122223333")
PREFIX = "arn:aws:qbusiness:us-east-1:111122223333:application/"


def named(**settings: Any) -> TargetConfig:
    """Build a target with one named data source."""
    source = {"application_id": APPLICATION, "index_id": INDEX, "data_source_id": SOURCE, **settings}
    return parse_target({"data_sources": [source]})


def discovering(**settings: Any) -> TargetConfig:
    """Build a target with discovery."""
    return parse_target({"discovery": settings})


def actions_of(target: TargetConfig, **config: Any) -> set[str]:
    """Return the actions that a target needs, with further settings of the configuration."""
    return {permission.action for permission in required_permissions(Config.model_validate(config), target)}


@pytest.mark.parametrize("service", SERVICES.values(), ids=str)
def test_every_action_is_an_operation_of_the_service(service: Service) -> None:
    """A misspelled action would grant nothing."""
    model = ServiceModel(Loader().load_service_model(service.client, "service-2"))
    assert {permission.action for permission in service.permissions} <= set(model.operation_names)


@pytest.mark.parametrize(
    ("target", "more"),
    [
        (named(application="intranet"), set()),
        (named(), {"GetApplication"}),
        (discovering(), {"ListApplications", "ListIndices"}),
        (discovering(tag_labels=["team"]), {"ListApplications", "ListIndices", "ListTagsForResource"}),
        (discovering(exclude=[{"tags": {"x": "*"}}]), {"ListApplications", "ListIndices", "ListTagsForResource"}),
    ],
)
def test_a_target_needs_only_the_actions_that_it_uses(target: TargetConfig, more: set[str]) -> None:
    """Tags are read only for filters and labels, and names of applications only if they are not configured."""
    assert actions_of(target) == {"GetIndex", "ListDataSources", "GetDataSource", "ListDataSourceSyncJobs", *more}


def test_tags_are_read_for_objectives_that_match_on_them() -> None:
    """This includes the tags of a data source that the configuration names."""
    matching = actions_of(named(), objectives=[{"match": {"tags": {"team": "hr"}}, "max_duration": "1h"}])
    assert matching - actions_of(named()) == {"ListTagsForResource"}


def test_documents_are_listed_only_if_they_are_counted() -> None:
    """The permission is for the index: the action supports no data source as its resource."""
    target = named(application="intranet")
    permissions = required_permissions(Config.model_validate({"documents": {"interval": "6h"}}), target)
    assert {permission.action for permission in permissions} - actions_of(target) == {"ListDocuments"}
    statements = list(policy_statements(target, SCOPE, permissions, "Main"))
    (statement,) = (each for each in statements if "qbusiness:ListDocuments" in each["Action"])
    assert "qbusiness:GetIndex" in statement["Action"]


def test_statements_name_the_resources_of_a_named_source() -> None:
    """An action on a data source also needs its index and its application."""
    target = named()
    statements = list(policy_statements(target, SCOPE, required_permissions(Config(), target), "Main"))
    by_sid = {statement["Sid"]: statement for statement in statements}
    assert by_sid["MainApplications"]["Action"] == ["qbusiness:GetApplication"]
    assert by_sid["MainApplications"]["Resource"] == [f"{PREFIX}{APPLICATION}"]
    index = f"{PREFIX}{APPLICATION}/index/{INDEX}"
    assert by_sid["MainIndexes"]["Resource"] == [f"{PREFIX}{APPLICATION}", index]
    sources = by_sid["MainDataSources"]
    assert sources["Action"] == ["qbusiness:GetDataSource", "qbusiness:ListDataSourceSyncJobs"]
    assert sources["Resource"] == [f"{PREFIX}{APPLICATION}", index, f"{index}/data-source/{SOURCE}"]


def test_statements_of_discovery_name_no_single_resource() -> None:
    """Only listing the applications needs `*`; everything else is within the account's applications."""
    target = discovering()
    statements = list(policy_statements(target, SCOPE, required_permissions(Config(), target), ""))
    assert [(statement["Sid"], statement["Resource"]) for statement in statements] == [
        ("Everything", ["*"]),
        ("DataSources", [f"{PREFIX}*"]),
    ]


def test_the_statement_for_roles_is_sorted() -> None:
    """The policy does not depend on the order of the targets."""
    statement = assume_role_statement(["arn:aws:iam::2:role/b", "arn:aws:iam::1:role/a"])
    assert statement["Resource"] == ["arn:aws:iam::1:role/a", "arn:aws:iam::2:role/b"]


@pytest.mark.parametrize(
    ("url", "arn"),
    [
        (
            "https://sqs.us-west-2.amazonaws.com/444455556666/sync-events",
            "arn:aws:sqs:us-west-2:444455556666:sync-events",
        ),
        (
            "https://vpce-0-abc.sqs.us-east-1.vpce.amazonaws.com/444455556666/sync-events",
            "arn:aws:sqs:us-east-1:444455556666:sync-events",
        ),
    ],
)
def test_a_queue_of_events_may_be_read_and_emptied(url: str, arn: str) -> None:
    """Its region comes from its URL, or else from the target."""
    target = TargetConfig.model_validate({"region": "us-east-1", "events": {"queue_url": url}})
    assert list(queue_statements(target, SCOPE, "Production")) == [
        {
            "Sid": "ProductionEvents",
            "Effect": "Allow",
            "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"],
            "Resource": [arn],
        }
    ]
    assert list(queue_statements(TargetConfig(), SCOPE, "Production")) == []
