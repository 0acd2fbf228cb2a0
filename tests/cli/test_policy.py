"""`policy` as a process, and its output as the permissions of the simulated service."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import eventually, serve
from tests.support.iam import Policy
from tests.support.oneshot import ROLE, named, run, settings
from tests.support.program_process import run_command
from tests.support.provider_rig import CASES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.service_case import ServiceCase


TARGETS: dict[str, Any] = {
    "discovery": lambda _: {"discovery": {"interval": "100ms"}},
    "discovery by tags": lambda _: {"discovery": {"interval": "100ms", "include": [{"tags": {"team": "hr"}}]}},
    "ids": lambda service: named(service, "doc-1", "on"),
    "ids and names": lambda service: named(service, "doc-1", application="Intranet", name="x"),
}


@pytest.mark.trial  # each case runs the program until it has sent every kind of request
@pytest.mark.parametrize("kind", TARGETS)
def test_the_policy_is_sufficient_and_minimal(service: SimulatedEndpoint, tmp_path: Path, kind: str) -> None:
    """With the policy, no request is denied. Without any one of its actions or resources, a request would be denied."""
    target = TARGETS[kind](service)
    text = settings(service, target)
    sources = len(target.get("data_sources", ())) or (12 if "tags" in text else 14)
    check_policy(service, tmp_path, text, "qbusiness_data_source_info", sources)


def check_policy(service: SimulatedEndpoint, tmp_path: Path, text: str, family: str, sources: int, **env: str) -> None:
    """Run the program under its own policy until a family has all data sources; compare the needed permissions."""
    done = run(service, tmp_path, "policy", text=text)
    assert done.returncode == 0, done.stderr
    policy = service.policy = Policy(json.loads(done.stdout))
    service.requests.clear()
    with serve(tmp_path, yaml.safe_load(text), **env) as program:
        program.until_ready()
        eventually(lambda: program.scrape().value(family) == sources)
        eventually(lambda: program.scrape().value("qbusiness_exporter_discovery_success") == 1)
    assert not [logged for logged in service.requests if logged.status in {400, 403}]
    calls = {logged.call for logged in service.requests if not logged.call.is_sts}
    needed = [service.api.permission(call) for call in calls]
    for less in policy.reduced():
        assert any(not less.allows(each.action, each.resources) for each in needed), less


@pytest.mark.trial  # each case runs the program until it has sent every kind of request
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_policy_of_each_service_is_sufficient_and_minimal(
    case: ServiceCase, service: SimulatedEndpoint, tmp_path: Path
) -> None:
    """Discovery with labels by tag sends every request of a service, including that about an ended job."""
    ended = PlannedJob(make_id(str(case)), time.time() - 600)
    source = SimulatedDataSource("hr", case.source_types[0], tags={"team": "hr"}, jobs=[ended])
    index = SimulatedIndex("main", [source], kind=case.index_type, tags={"team": "hr"})
    with SimulatedEndpoint(Fleet([SimulatedApplication("intranet", [index])]), make_api=case.make_api) as endpoint:
        target = {"service": str(case), "discovery": {"interval": "100ms", "tag_labels": ["team"]}}
        text = settings(endpoint, target)
        check_policy(endpoint, tmp_path, text, f"{case}_data_source_info", 1, AWS_ENDPOINT_URL_STS=service.url)


def test_several_targets_have_one_policy(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Statements begin with the name of their target, and all ids are unique and valid for IAM."""
    text = settings(service, {"name": "a b", "role_arn": ROLE}, {"name": "a-b", "region": "us-west-2"})
    done = run(service, tmp_path, "policy", text=text)
    document = json.loads(done.stdout)
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(sid.isalnum() for sid in sids)
    assert document["Statement"][1]["Resource"] == ["arn:aws:qbusiness:us-east-1:444455556666:application/*"]
    assert document["Statement"][-1] == {
        "Sid": "AssumeRole",
        "Effect": "Allow",
        "Action": ["sts:AssumeRole"],
        "Resource": [ROLE],
    }
    assert "attach the statement AssumeRole to the identity of the exporter" in done.stderr


def test_without_credentials_the_account_is_a_wildcard(tmp_path: Path) -> None:
    """The command works before there are credentials, and a note on stderr asks for the account id."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"}
    (tmp_path / "config.yaml").write_text("targets: [{region: us-gov-west-1}]")
    done = run_command("policy", folder=tmp_path, environment=env)
    (resource,) = json.loads(done.stdout)["Statement"][1]["Resource"]
    assert resource == "arn:aws-us-gov:qbusiness:us-gov-west-1:*:application/*"
    assert "replace * in the ARNs with it" in done.stderr
