"""`check --probe` against a simulated organization."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from exporter.simulator.fleet import SimulatedApplication, SimulatedDataSource, SimulatedIndex
from tests.support.iam import Policy
from tests.support.oneshot import ROLE, named, run, settings

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator.server import SimulatedEndpoint


def test_allowed_actions_are_reported(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Each action that the target uses is called once."""
    done = run(service, tmp_path, "check", "--probe", text=settings(service, {"discovery": {"tag_labels": ["team"]}}))
    assert done.returncode == 0
    results = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [result for _, result in results] == ["allowed"] * 7
    called = [logged.call.operation for logged in service.requests if not logged.call.is_sts]
    assert sorted(called[:2]) == ["ListApplications", "ListIndices"]
    assert {action for action, _ in results} == set(called)


def test_listings_are_called_although_a_source_is_named(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """A target with named data sources and discovery needs the listings, so a denied one is missing."""
    target = {**named(service, "on"), "discovery": {}}
    service.faults.add("denied", operation="ListApplications")
    service.faults.add("denied", operation="ListIndices")
    done = run(service, tmp_path, "check", "--probe", text=settings(service, target))
    assert done.returncode == 1
    assert "  ListApplications        missing\n" in done.stdout
    assert "  ListIndices             missing\n" in done.stdout
    assert "  GetDataSource           allowed\n" in done.stdout


def test_the_printed_statement_grants_the_missing_permissions(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """With the printed statements in the policy, a second probe reports nothing missing."""
    text = settings(service, named(service, "on"))
    complete = json.loads(run(service, tmp_path, "policy", text=text).stdout)
    service.policy = Policy({"Version": "2012-10-17", "Statement": complete["Statement"][:1]})
    done = run(service, tmp_path, "check", "--probe")
    assert done.returncode == 1
    assert "  GetApplication          allowed\n" in done.stdout
    assert "  GetDataSource           missing\n" in done.stdout
    printed = json.loads(done.stdout.split("missing policy statements:\n")[1])
    service.policy = Policy({"Version": "2012-10-17", "Statement": [complete["Statement"][0], *printed]})
    assert run(service, tmp_path, "check", "--probe").returncode == 0


def test_one_statement_grants_all_that_is_missing(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """Without the first listing, no other action can be tried. The statement has the permissions for these too."""
    text = settings(service, {"discovery": {}})
    complete = json.loads(run(service, tmp_path, "policy", text=text).stdout)["Statement"]
    service.policy = Policy({"Version": "2012-10-17", "Statement": []})
    done = run(service, tmp_path, "check", "--probe", text=text)
    printed = json.loads(done.stdout.split("missing policy statements:\n")[1])
    assert [statement["Action"] for statement in printed] == [statement["Action"] for statement in complete]
    service.policy = Policy({"Version": "2012-10-17", "Statement": printed})
    assert run(service, tmp_path, "check", "--probe", text=text).returncode == 0


def test_an_action_without_a_resource_is_not_tried(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """In an account without applications, there is no resource for the other actions."""
    service.fleet.applications.clear()
    done = run(service, tmp_path, "check", "--probe")
    assert done.returncode == 0
    assert "  GetIndex                not tried: no application to try it on\n" in done.stdout


def test_actions_are_tried_on_a_resource_that_has_them(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The first application and the first index are empty, and the data sources are in others."""
    applications = service.fleet.applications
    applications.insert(0, SimulatedApplication("abandoned", []))
    applications[1].indexes.insert(0, SimulatedIndex("empty", []))
    service.faults.add("denied", operation="ListDataSourceSyncJobs")
    done = run(service, tmp_path, "check", "--probe", text=settings(service, {}))
    assert done.returncode == 1
    assert "  ListDataSourceSyncJobs  missing\n" in done.stdout
    assert "not tried" not in done.stdout
    assert done.stderr == ""


def test_actions_are_tried_on_a_resource_that_filters_select(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The policy may allow nothing else, and the exporter requests nothing else."""
    excluded, _ = service.fleet.applications
    service.fleet.applications[1].indexes[0].data_sources.append(SimulatedDataSource("faq"))
    service.faults.add("denied", application_id=excluded.id)
    text = settings(service, {"discovery": {"exclude": [{"application": excluded.name}]}})
    done = run(service, tmp_path, "check", "--probe", text=text)
    assert (done.returncode, done.stdout.count(" allowed\n")) == (0, 6), done.stdout


def test_refused_credentials_are_reported(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """The output has the statement that allows AssumeRole."""
    service.sts.refuses = True
    done = run(service, tmp_path, "check", "--probe", text=settings(service, {"role_arn": ROLE}))
    assert done.returncode == 1
    assert (
        f"credentials refused: ListApplications: AssumeRole of {ROLE}: AccessDenied: User is not authorized"
        in done.stdout
    )
    assert json.loads(done.stdout.split("missing policy statements:\n")[1])["Resource"] == [ROLE]


def test_other_errors_are_reported_as_failed(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """An error of the service is not a missing permission."""
    service.faults.add("server_error")
    done = run(service, tmp_path, "check", "--probe", text=settings(service, {}))
    assert done.returncode == 1
    assert "ListApplications        failed: ListApplications: InternalServerException" in done.stdout


def test_probe_is_a_flag_of_check_only(service: SimulatedEndpoint, tmp_path: Path) -> None:
    """With other commands it is wrong usage."""
    done = run(service, tmp_path, "policy", "--probe")
    assert done.returncode == 2
    assert "--probe is a flag of check, not of policy" in done.stderr


def test_the_permission_to_list_documents_is_tried_if_they_are_counted(
    service: SimulatedEndpoint, tmp_path: Path
) -> None:
    """The policy of the same configuration grants it."""
    text = f"{settings(service, named(service, 'on'))}documents: {{interval: 6h}}\n"
    service.policy = Policy(json.loads(run(service, tmp_path, "policy", text=text).stdout))
    done = run(service, tmp_path, "check", "--probe")
    assert done.returncode == 0
    assert "  ListDocuments           allowed\n" in done.stdout
    service.faults.add("denied", operation="ListDocuments")
    done = run(service, tmp_path, "check", "--probe")
    assert done.returncode == 1
    assert "  ListDocuments           missing\n" in done.stdout
