"""The commands that only ask: discover, policy, and check --probe, as processes of their own."""

from __future__ import annotations

import copy
import json
import os
import pty
import re
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter import config
from exporter.simulator.api import SECRET_MARKER
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.server import SimulatedQBusiness
from tests.support.harness import eventually, serve
from tests.support.iam import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = 'x": {}\n# &a *b !!python/object:os.system\t"yes'


def organisation() -> Fleet:
    """Build two applications with three indexes."""
    main = SimulatedIndex("main", [SimulatedDataSource(f"doc-{number}", tags={"team": "hr"}) for number in range(12)])
    archive = SimulatedIndex(
        "archive", [SimulatedDataSource("on", "S3", "FAILED"), SimulatedDataSource("old-wiki", "CONFLUENCEV2")]
    )
    return Fleet(
        [
            SimulatedApplication("intranet", [main, archive]),
            SimulatedApplication("support", [SimulatedIndex("knowledge")]),
        ]
    )


@pytest.fixture
def service() -> Iterator[SimulatedQBusiness]:
    """Give a simulated organisation."""
    with SimulatedQBusiness(organisation()) as made:
        yield made


def environment(service: SimulatedQBusiness) -> dict[str, str]:
    """Give the environment of a process that has credentials for a simulated service."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
    return {**clean, **own, "AWS_ENDPOINT_URL": service.url, "AWS_REGION": "us-east-1"}


def run(service: SimulatedQBusiness, tmp_path: Path, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in an empty directory, with a configuration if there is one."""
    if text:
        (tmp_path / "config.yaml").write_text(text)
    command = [sys.executable, "-m", "exporter", *words]
    return subprocess.run(command, cwd=tmp_path, env=environment(service), capture_output=True, text=True, check=False)


def settings(service: SimulatedQBusiness, *targets: dict[str, Any]) -> str:
    """Write a configuration of targets at a simulated service, at a pace for tests."""
    pace = {"interval": "100ms", "idle_interval": "100ms", "requests_per_second": 500}
    full = [{"region": "us-east-1", "endpoint_url": service.url, **target} for target in targets]
    return yaml.safe_dump({"targets": full, "polling": pace, "state": {"path": ":memory:"}})


def named(service: SimulatedQBusiness, *names: str, **more: str) -> dict[str, Any]:
    """Build a target that names data sources."""
    return {
        "data_sources": [
            {"application_id": application.id, "index_id": index.id, "data_source_id": source.id, **more}
            for application, index, source in service.fleet.data_sources()
            if source.name in names
        ],
    }


def test_discover_prints_what_the_exporter_accepts(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Every data source with its names, commented, and nothing on stderr where no terminal is."""
    service.fleet.applications[0].indexes[0].data_sources[0].name = HOSTILE
    done = run(service, tmp_path, "discover")
    assert (done.returncode, done.stderr) == (0, "")
    found = config.parse(done.stdout, "found")
    assert found.warnings == ()
    (target,) = found.config.targets
    sources = {source.data_source_id: source for source in target.data_sources}
    assert sources.keys() == {source.id for _, _, source in service.fleet.data_sources()}
    assert target.region == "us-east-1"
    names = {source.name for source in target.data_sources}
    assert names >= {"on", "old-wiki"}
    assert "        # S3, FAILED\n" in done.stdout
    assert "      # application intranet, index archive\n" in done.stdout
    assert SECRET_MARKER not in done.stdout
    assert service.logged("GetDataSource") == []


def test_discover_keeps_connections_and_says_what_it_could_not_see(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Two targets that see the same name it once; where nothing could be seen at all, the command fails."""
    role = "arn:aws:iam::444455556666:role/reader"
    targets = ({"name": "a", "role_arn": role}, {"name": "b"})
    service.faults.add("denied", application_id=service.fleet.applications[1].id)
    done = run(service, tmp_path, "discover", text=settings(service, *targets))
    assert done.returncode == 0
    a, b = config.parse(done.stdout, "found").config.targets
    assert (a.name, a.role_arn, len(a.data_sources)) == ("a", role, 14)
    assert (b.name, len(b.data_sources)) == ("b", 0)
    assert "    # 14 more data sources are already listed above\n" in done.stdout
    assert "listing failed: application support" in done.stdout
    assert "AccessDeniedException" in done.stderr
    service.faults.add("expired_token")
    done = run(service, tmp_path, "discover")
    assert done.returncode == 1
    assert "ExpiredTokenException" in done.stderr


def test_discover_shows_its_progress_on_a_terminal(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """And only there."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 80))
    command = [sys.executable, "-m", "exporter", "discover"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(service), stdout=subprocess.PIPE, stderr=follower, check=False
    )
    os.close(follower)
    shown = os.read(leader, 100_000)
    os.close(leader)
    assert b"data sources found: 14" in shown
    assert len(config.parse(done.stdout.decode(), "found").config.targets[0].data_sources) == 14


def policy_of(service: SimulatedQBusiness, tmp_path: Path, text: str) -> dict[str, Any]:
    """Give the policy that is printed."""
    done = run(service, tmp_path, "policy", text=text)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def lacking(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the policy without each of its actions, and without each of its resources."""
    for number, statement in enumerate(document["Statement"]):
        for key in ("Action", "Resource"):
            for position in range(len(statement[key])):
                less = copy.deepcopy(document)
                del less["Statement"][number][key][position]
                yield less


SHAPES: dict[str, Any] = {
    "everything found": {},
    "found by tags": {"discovery": {"include": [{"tags": {"team": "hr"}}]}},
    "named": ("doc-1", "on"),
    "named with names": ("doc-1", "application"),
}


@pytest.mark.trial
@pytest.mark.parametrize("shape", SHAPES)
def test_the_policy_is_enough_and_none_too_much(service: SimulatedQBusiness, tmp_path: Path, shape: str) -> None:
    """With it the program runs without a refusal; without any one action or resource of it, something is refused."""
    target = SHAPES[shape]
    if isinstance(target, tuple):
        first, second = target
        more = {"application": "Intranet", "name": "x"} if second == "application" else {}
        target = named(service, first, second, **more)
    if "discovery" not in target and not target.get("data_sources"):
        target = {"discovery": {"interval": "100ms"}}
    elif "discovery" in target:
        target = {"discovery": {"interval": "100ms", **target["discovery"]}}
    text = settings(service, target)
    document = policy_of(service, tmp_path, text)
    sources = len(target.get("data_sources", ())) or (12 if "tags" in text else 14)
    service.api.policy = Policy(document)
    with serve(tmp_path, yaml.safe_load(text)) as program:
        program.until_ready()
        eventually(lambda: program.scrape().value("qbusiness_data_source_info") == sources)
        eventually(lambda: program.scrape().value("qbusiness_exporter_discovery_success") == 1)
    assert not [logged for logged in service.requests if logged.status == 403]
    asked = {
        (f"qbusiness:{logged.call.operation}", logged.call) for logged in service.requests if not logged.call.is_sts
    }
    for less in lacking(document):
        held = Policy(less)
        assert any(not held.allows(action, service.api.required_arns(call)) for action, call in asked), less


def test_the_policy_of_several_targets_is_one_document(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Each target's statements under its name, roles to assume beside them; every Sid is one that IAM takes."""
    role = "arn:aws:iam::444455556666:role/reader"
    text = settings(service, {"name": "a b", "role_arn": role}, {"name": "a-b", "region": "us-west-2"})
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
        "Resource": [role],
    }
    assert "attach the statement AssumeRole to the identity of the exporter" in done.stderr


def test_without_credentials_the_policy_leaves_the_account_open(tmp_path: Path) -> None:
    """And says so: the policy is what one needs before there are credentials."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"}
    (tmp_path / "config.yaml").write_text("targets: [{region: us-gov-west-1}]")
    command = [sys.executable, "-m", "exporter", "policy"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    (resource,) = json.loads(done.stdout)["Statement"][1]["Resource"]
    assert resource == "arn:aws-us-gov:qbusiness:us-gov-west-1:*:application/*"
    assert "replace * in the ARNs with it" in done.stderr


def test_a_probe_finds_all_allowed(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Each action once per target."""
    done = run(service, tmp_path, "check", "--probe", text=settings(service, {"discovery": {"tag_labels": ["team"]}}))
    assert done.returncode == 0
    verdicts = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [verdict for _, verdict in verdicts] == ["allowed"] * 7
    asked = [logged.call.operation for logged in service.requests if not logged.call.is_sts]
    assert sorted(asked[:2]) == ["ListApplications", "ListIndices"]
    assert {action for action, _ in verdicts} == set(asked)


def test_a_probe_names_what_is_missing_and_the_statement_that_grants_it(
    service: SimulatedQBusiness, tmp_path: Path
) -> None:
    """Once that is granted, nothing is missing."""
    text = settings(service, named(service, "on"))
    whole = policy_of(service, tmp_path, text)
    service.api.policy = Policy({"Version": "2012-10-17", "Statement": whole["Statement"][:1]})
    done = run(service, tmp_path, "check", "--probe")
    assert done.returncode == 1
    assert "  GetApplication          allowed\n" in done.stdout
    assert "  GetDataSource           missing\n" in done.stdout
    granting = json.loads(done.stdout.split("missing policy statements:\n")[1])
    service.api.policy = Policy({"Version": "2012-10-17", "Statement": [whole["Statement"][0], *granting]})
    assert run(service, tmp_path, "check", "--probe").returncode == 0


def test_a_probe_tells_what_it_could_not_try(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """For want of something to try it on, or of credentials."""
    service.fleet.applications.clear()
    done = run(service, tmp_path, "check", "--probe")
    assert done.returncode == 0
    assert "  GetIndex                not tried: no application to try it on\n" in done.stdout
    role = "arn:aws:iam::444455556666:role/reader"
    service.api.sts.refuses = True
    done = run(service, tmp_path, "check", "--probe", text=settings(service, {"role_arn": role}))
    assert done.returncode == 1
    assert "credentials refused: ListApplications: AccessDenied: User is not authorized" in done.stdout
    assert json.loads(done.stdout.split("missing policy statements:\n")[1])["Resource"] == [role]
    service.api.sts.refuses = False
    service.faults.add("server_error")
    done = run(service, tmp_path, "check", "--probe", text=settings(service, {}))
    assert done.returncode == 1
    assert "ListApplications        failed: ListApplications: InternalServerException" in done.stdout


def test_probe_goes_with_check_alone(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Elsewhere it is wrong usage."""
    done = run(service, tmp_path, "policy", "--probe")
    assert done.returncode == 2
    assert "--probe is a flag of check, not of policy" in done.stderr


def test_a_plan_shows_its_arithmetic(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """Sources, series and requests, and what share of the budget they are."""
    done = run(service, tmp_path, "plan")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "target us-east-1: 14 data sources in 3 indexes of 2 applications"
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "idle polls 14 x 12 (every 5m) 168" in lines
    assert "syncing or due 14 x 10% of the time (assumed) x 48 more 67" in lines
    assert "discovery 4 runs x 10 (listings, and 3 x GetIndex) 40" in lines
    assert "total 280" in lines
    assert "rate limit: 5 per second = 18,000 per hour, 1.6% used" in lines
    assert "warning" not in done.stdout
    asked = {logged.call.operation for logged in service.requests}
    assert asked == {"ListApplications", "ListIndices", "GetIndex", "ListDataSources"}


def test_what_is_planned_is_what_is_asked_and_shown(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """The listing of a round, and the series of a source, are those of the running program."""
    done = run(service, tmp_path, "plan", text=settings(service, {"discovery": {"interval": "300ms"}}))
    per_round = int(re.search(r"runs x (\d+)", done.stdout)[1])  # type: ignore[index] # it is there
    series = int(re.search(r"about ([\d,]+)", done.stdout)[1].replace(",", ""))  # type: ignore[index] # the same
    service.requests.clear()
    for _, _, source in service.fleet.data_sources():
        done_before = PlannedJob(make_id(source.name, 1), time.time() - 3600, 60, 30, documents={"scanned": 1})
        source.jobs = [done_before, PlannedJob(make_id(source.name, 2), time.time() - 60, 6000, 30)]
        source.schedule = "cron(0 3 * * ? *)"
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    with serve(tmp_path, config) as program:
        program.until_ready()
        eventually(lambda: len(service.logged("ListApplications")) >= 4)
        shown = len(program.scrape().samples)
    moments = [logged.monotonic for logged in service.logged("ListApplications")]
    listings = ("ListApplications", "ListIndices", "GetIndex", "ListDataSources")
    within = [
        logged
        for logged in service.requests
        if moments[1] <= logged.monotonic < moments[2] and logged.call.operation in listings
    ]
    assert len(within) == per_round
    assert shown == pytest.approx(series, rel=0.25)


def test_a_plan_warns_where_the_budget_is_too_small_and_says_what_would_do(
    service: SimulatedQBusiness, tmp_path: Path
) -> None:
    """And what it advises needs no warning."""
    polling: dict[str, Any] = {"interval": "1s", "idle_interval": "1s", "requests_per_second": 10}
    config: dict[str, Any] = {"targets": [{"region": "us-east-1"}], "polling": polling}
    done = run(service, tmp_path, "plan", text=yaml.safe_dump(config))
    assert "warning: rate limit too low for these intervals. Set one of:" in done.stdout
    advised = re.search(r"    requests_per_second: ([\d.]+)\n", done.stdout)
    assert advised
    polling["requests_per_second"] = float(advised[1])
    assert "warning" not in run(service, tmp_path, "plan", text=yaml.safe_dump(config)).stdout
    polling["requests_per_second"] = 10
    done = run(service, tmp_path, "plan", text=yaml.safe_dump(config))
    advised = re.search(r"    idle_interval: (\w+)\n", done.stdout)
    assert advised
    polling["idle_interval"] = advised[1]
    assert "warning" not in run(service, tmp_path, "plan", text=yaml.safe_dump(config)).stdout


def test_a_plan_says_what_it_could_not_count(service: SimulatedQBusiness, tmp_path: Path) -> None:
    """A figure that leaves something out in silence would be wrong."""
    service.faults.add("denied", application_id=service.fleet.applications[0].id)
    done = run(service, tmp_path, "plan")
    assert done.returncode == 1
    assert "  not counted: application intranet" in done.stdout
