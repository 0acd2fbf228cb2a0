"""Hostile names, tags and error texts in every output, and a search of all outputs for secrets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import unicodedata
from base64 import b64encode
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter import config
from exporter.simulator.fleet import Fleet, SimulatedApplication, SimulatedDataSource, SimulatedIndex, make_id
from exporter.simulator.job import PlannedJob
from exporter.simulator.qbusiness import SECRET_MARKER
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Program, eventually
from tests.support.prometheus_server import create_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTEDPLANTED00",
    "AWS_SECRET_ACCESS_KEY": "planted-secret-access-key",
    "AWS_SESSION_TOKEN": "planted-session-token",
}
PASSWORD, EXTERNAL_ID = "planted-password", "planted-external-id"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
AUTHORIZATION = f"Basic {b64encode(f'prometheus:{PASSWORD}'.encode()).decode()}"
SECRETS = {*CREDENTIALS.values(), PASSWORD, EXTERNAL_ID, HASH, AUTHORIZATION[6:], SECRET_MARKER, "ASSUMED-0"}
HOSTILE = {
    "a line of exposition": 'x"} 1\nqbusiness_poll_success{data_source="forged',
    "a comment of exposition": "\n# EOF\n# HELP forged x",
    "backslashes": '\\n\\"\\\\',
    "a log line": 'x" level=error msg="forged\nts=2026-01-01T00:00:00Z level=error msg=forged',
    "terminal control sequences": "\x1b[2J\x1b]0;forged\x07\r\b\x00\x9b31m",
    "markup": "</td></table><script>alert(1)</script><img src=x onerror=alert(1)>\"' onmouseover=alert(1)",
    "a template": "{{ 7 * 7 }}{% raw %}${7*7}#{7*7}%s%(x)s{0}",
    "YAML": "x: {}\n- &a *b !!python/object:os.system\t#\u0085\u2028\ufeff",
    "bidirectional controls": "\u202eforged\u2066\u200f",
    "lone surrogates": "\ud800 \udfff",
    "a path": "../../../../etc/passwd\x00.png",
    "a flag": "--output=/etc/passwd",
    "length": "x" * 900 + "\U0001f4a9",
}
CONTROL_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}


def application(name: str, text: str) -> SimulatedApplication:
    """Build an application that uses a text for every name, tag and error."""
    error = {"error_code": text, "error_message": f"[{text}] {text}", "source_error": text}
    job = PlannedJob(make_id(name), time.time() - 900, 60, 30, "FAILED", **error)  # type: ignore[arg-type]  # the keys of errors are strings
    source = SimulatedDataSource(text, kind=text, schedule=text, id=make_id(name), jobs=[job])
    source.tags, source.error = {"team": text, text[:128]: "x"}, {"errorCode": text, "errorMessage": text}
    return SimulatedApplication(
        text, [SimulatedIndex(text, [source], id=make_id("index", name))], id=make_id("application", name)
    )


@pytest.fixture(scope="module")
def service() -> Iterator[SimulatedEndpoint]:
    """Yield a service with one application for each text."""
    fleet = Fleet([application(name, text) for name, text in HOSTILE.items()])
    with SimulatedEndpoint(fleet) as service:
        service.sts.external_id = EXTERNAL_ID
        yield service


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, service: SimulatedEndpoint) -> Path:
    """Write a configuration that assumes a role, and a web config."""
    folder = tmp_path_factory.mktemp("outputs")
    role = {"role_arn": "arn:aws:iam::111122223333:role/reader", "external_id": EXTERNAL_ID}
    discovery = {"tag_labels": ["team"], "interval": "200ms"}
    target = {"name": "t", "region": "us-east-1", "endpoint_url": service.url, **role, "discovery": discovery}
    polling = {"interval": "200ms", "idle_interval": "200ms", "requests_per_second": 500}
    for name, state in (("served.yaml", str(folder / "state.db")), ("config.yaml", ":memory:")):
        text = yaml.safe_dump({"targets": [target], "polling": polling, "state": {"path": state}})
        (folder / name).write_text(text)
    (folder / "web.yml").write_text(yaml.safe_dump({"basic_auth_users": {"prometheus": HASH}}))
    return folder


def environment(service: SimulatedEndpoint) -> dict[str, str]:
    """Return the environment of a process that has the planted credentials."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**clean, **CREDENTIALS, "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_STS": service.url}


def run(service: SimulatedEndpoint, folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in the folder, with debug logs."""
    command = [sys.executable, "-m", "exporter", *arguments, "--log.level=debug"]
    return subprocess.run(command, cwd=folder, env=environment(service), capture_output=True, check=False, timeout=90)


def check_log(lines: list[str], log_format: str) -> None:
    """Assert that each line is one event in the format, none is forged, and none has control characters."""
    assert lines
    for line in lines:
        assert not any(unicodedata.category(character) in CONTROL_CATEGORIES for character in line), ascii(line)
        assert not set(line) & set("\u202e\u2066\u200f"), ascii(line)
        if log_format == "json":
            assert json.loads(line)["msg"]
        else:
            assert re.match(r'ts=\S+Z level=(debug|info|warn|error) msg=("[^"]+"|\w+)( |$)', line), ascii(line)
    assert not [line for line in lines if re.match(r".*msg=forged|.*\"msg\": \"forged", line)]


def check_secrets(*outputs: str | bytes) -> None:
    """Assert that no output contains a planted secret."""
    for output in outputs:
        text = output if isinstance(output, str) else output.decode(errors="replace")
        found = [secret for secret in SECRETS if secret in text]
        assert not found, f"{found} in {text[max(0, text.find(found[0]) - 200) :][:400]!r}"


class Elements(HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        assert not any((value or "").strip().lower().startswith("javascript:") for _, value in attrs)

    def handle_data(self, data: str) -> None:
        """Record text."""
        self.text += data


def encodable(text: str) -> str:
    """Return a text with its lone surrogates replaced, which UTF-8 cannot encode."""
    return text.encode(errors="replace").decode()


def visible_parts(text: str) -> list[str]:
    """Return the parts of a text between its invisible characters, for which a page may show placeholders."""
    invisible = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return "".join("\n" if unicodedata.category(each) in invisible else each for each in text).split("\n")


def names_in(families: Any) -> set[str]:
    """Return the names of all data sources in an exposition, and assert that no family is forged."""
    samples = [sample for family in families for sample in family.samples]
    assert not [sample for sample in samples if "forged" in sample.name]
    return {sample.labels["data_source"] for sample in samples if sample.name == "qbusiness_poll_success"}


@pytest.mark.trial
@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_served_pages_and_logs(service: SimulatedEndpoint, folder: Path, log_format: str) -> None:
    """Every text is escaped as each output requires, and no output contains a secret."""
    flags = [
        "--config.file",
        "config.yaml",
        "--web.config.file",
        "web.yml",
        "--log.level",
        "debug",
        "--log.format",
        log_format,
    ]
    environ = {**CREDENTIALS, "AWS_ENDPOINT_URL_STS": service.url}
    expected = {encodable(text) for text in HOSTILE.values()}
    with Program(["serve", *flags], environ, folder=folder, credentials={"Authorization": AUTHORIZATION}) as program:
        program.until_ready()
        eventually(lambda: names_in(parse_text(program.get("/metrics")[1])) == expected)
        openmetrics = program.get("/metrics", Accept="application/openmetrics-text")[1]
        assert names_in(parse_openmetrics(openmetrics)) == expected
        pages = {
            path: program.get(path) for path in ("/", "/?q=forged", "/api/v1/data-sources", "/-/healthy", "/-/ready")
        }
        pages |= {name: program.get(f"/?data_source_id={make_id(name)}") for name in HOSTILE}
        assert {status for status, _ in pages.values()} == {200}
        for name, text in HOSTILE.items():
            elements = Elements(pages[name][1])
            assert elements.tags.count("script") == Elements(pages["/?q=forged"][1]).tags.count("script")
            assert not elements.attributes & {"onerror", "onmouseover", "onload"}
            assert "img" not in elements.tags
            assert all(part in elements.text for part in visible_parts(text)), name
            assert not {each for each in elements.text if unicodedata.category(each) in CONTROL_CATEGORIES} - set(
                "\t\n"
            ), name
        found = json.loads(pages["/api/v1/data-sources"][1])["data_sources"]
        assert {source["data_source"] for source in found} == expected
        refused = program.request("GET", "/metrics", Authorization="Basic " + b64encode(b"prometheus:wrong").decode())
        not_found = program.request("GET", "/%0d%0aX-Forged:%201/<script>")
        assert (refused[0], not_found[0]) == (401, 404)
        assert "script" not in not_found[1]
        (folder / "web.yml").write_text(yaml.safe_dump({"basic_auth_users": {"prometheus": HASH, "other": PASSWORD}}))
        program.until_logged("web config reload failed")
        (folder / "web.yml").write_text(yaml.safe_dump({"basic_auth_users": {"prometheus": HASH}}))
        program.request("POST", "/-/reload")
        assert program.stop() == 0
    check_log([line.removesuffix("\n") for line in program.log], log_format)
    check_secrets(
        *program.log, *program.output, refused[1], not_found[1], openmetrics, *(text for _, text in pages.values())
    )
    check_secrets(*(path.read_bytes() for path in folder.glob("state.db*")))


def test_discover_writes_a_valid_configuration(service: SimulatedEndpoint, folder: Path) -> None:
    """It contains every data source with its name, and no secret except the external id of the configuration."""
    done = run(service, folder, "discover")
    assert done.returncode == 0, done.stderr
    loaded = config.parse(done.stdout.decode(), "found").config
    names = {source.path[-1]: source.name for target in loaded.targets for source in target.data_sources}
    assert names.keys() == {make_id(name) for name in HOSTILE}
    # `discover` copies the settings of the target, so its output contains the external id.
    check_secrets(done.stdout.replace(f"external_id: {EXTERNAL_ID}\n".encode(), b""), done.stderr)


@pytest.mark.trial
def test_output_of_commands(service: SimulatedEndpoint, folder: Path) -> None:
    """Metrics and JSON can be parsed, and every line of the log is one event."""
    exported = run(service, folder, "export")
    assert exported.returncode == 0, exported.stderr
    assert names_in(parse_text(exported.stdout.decode())) == {encodable(text) for text in HOSTILE.values()}
    backfill = run(service, folder, "backfill", "--log.format=json")
    assert backfill.returncode == 0, backfill.stderr
    check_log(exported.stderr.decode().split("\n")[:-1], "logfmt")
    check_log(backfill.stderr.decode().split("\n")[:-1], "json")
    (folder / "backfill.om").write_bytes(backfill.stdout)
    create_blocks(folder / "backfill.om", folder / "blocks")
    policy, plan, probe = (run(service, folder, *command) for command in (["policy"], ["plan"], ["check", "--probe"]))
    assert json.loads(policy.stdout)["Statement"]
    for done in (exported, backfill, policy, plan, probe):
        check_secrets(done.stdout, done.stderr)
    for done in (policy, plan, probe):
        assert not {each for each in done.stdout.decode() if unicodedata.category(each) in CONTROL_CATEGORIES} - {"\n"}
