"""`serve` with a web config: scraped by Prometheus, while files change, and with invalid files."""

from __future__ import annotations

import re
import subprocess
from base64 import b64encode
from typing import TYPE_CHECKING

import bcrypt
import pytest
import yaml

from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.certificates import Certificates, client_context
from tests.support.harness import Program, config_for, eventually, fleet_of
from tests.support.program_process import run_command
from tests.support.prometheus_server import prometheus, scrape_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RELOADED = "qbusiness_exporter_config_last_reload_successful"
MUTUAL_TLS = {
    "cert_file": "server.crt",
    "key_file": "server.key",
    "client_ca_file": "ca.crt",
    "client_auth_type": "RequireAndVerifyClientCert",
}


def write_web_config(folder: Path, password: str) -> None:
    """Write a web config that requires a client certificate and the password of one user."""
    users = {"prometheus": bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}
    (folder / "web.yml").write_text(yaml.safe_dump({"tls_server_config": MUTUAL_TLS, "basic_auth_users": users}))


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """Run the program with TLS, client certificates, a password and debug logs."""
    Certificates(tmp_path)
    write_web_config(tmp_path, "tangerine")
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config_for(service, tmp_path / "state.db")))
        files = ["--config.file", str(tmp_path / "config.yaml"), "--web.config.file", str(tmp_path / "web.yml")]
        with Program(
            ["serve", *files, "--log.level", "debug"],
            {"AWS_ENDPOINT_URL_STS": service.url},
            tls=client_context(tmp_path, tmp_path / "client.pem"),
            credentials={"Authorization": f"Basic {b64encode(b'prometheus:tangerine').decode()}"},
        ) as program:
            program.until_ready()
            yield program


@pytest.mark.trial  # Prometheus starts to scrape five seconds after its start
def test_prometheus_scrapes_after_certificates_and_password_change(program: Program, tmp_path: Path) -> None:
    """The exporter applies new files without a restart, and logs neither passwords nor hashes."""
    (tmp_path / "password").write_text("tangerine")
    pem = str(tmp_path / "client.pem")
    config = scrape_config("{}:{}".format(*program.address))
    config["scrape_configs"][0] |= {
        "scheme": "https",
        "tls_config": {"ca_file": str(tmp_path / "ca.crt"), "cert_file": pem, "key_file": pem},
        "basic_auth": {"username": "prometheus", "password_file": str(tmp_path / "password")},
    }
    with prometheus(tmp_path, config, "--web.enable-lifecycle") as server:
        eventually(lambda: server.value("sum(qbusiness_poll_success)") == 1)
        assert "scheme=https" in next(line for line in program.log if "msg=listening" in line)
        Certificates(tmp_path)  # with a new certificate authority
        (tmp_path / "password").write_text("marmalade")
        write_web_config(tmp_path, "marmalade")
        program.until_logged("web config reloaded", "basic_auth_users")
        program.tls = client_context(tmp_path, tmp_path / "client.pem")
        program.credentials = {}
        assert program.get("/metrics")[0] == 401
        server.reload()
        eventually(lambda: server.value("up") == 1 and server.value("min_over_time(up[1s])") == 1)
    assert not re.search(r"tangerine|marmalade|\$2b\$", "".join(program.log))


def test_old_tls_versions_and_weak_ciphers_are_refused(program: Program) -> None:
    """The client of OpenSSL connects with TLS 1.2 and 1.3 only."""
    address = "{}:{}".format(*program.address)

    def client(*arguments: str) -> str:
        command = ["openssl", "s_client", "-connect", address, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, input="").stdout

    for version in ("-tls1", "-tls1_1"):
        assert "Cipher is (NONE)" in client(version, "-cipher", "DEFAULT@SECLEVEL=0")
    for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        assert f"{name}, Cipher is " in client(version)
    assert "Cipher is (NONE)" in client("-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384")  # no forward secrecy
    assert "Cipher is (NONE)" in client("-tls1_3", "-groups", "ffdhe8192")  # expensive for the server
    program.until_logged("TLS handshake failed", "UNSUPPORTED_PROTOCOL")


def test_an_invalid_web_config_keeps_the_previous_one(program: Program, tmp_path: Path) -> None:
    """The log, the metrics and the response to a reload report it; a reload then does not apply the configuration."""
    valid = (tmp_path / "web.yml").read_text()
    (tmp_path / "web.yml").write_text("tls_server_config: {min_version: TLS10}\nbasic_auth_users: {a: hunter2}\n")
    eventually(lambda: program.scrape().value(RELOADED) == 0)
    message = "web config reload failed, keeping the previous one"
    assert len(program.until_logged(message, lines=4)) == 4
    assert program.log_lines(message, "web.yml:2:23: a: not a bcrypt hash")
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump({**config, "targets": [{**config["targets"][0], "name": "b"}]})
    )
    status, text = program.request("POST", "/-/reload")
    assert status == 500
    assert "web.yml:1:34: min_version: TLS10 is not supported" in text
    assert program.scrape().value("qbusiness_exporter_data_sources", target="test") == 1
    (tmp_path / "web.yml").write_text(valid)
    eventually(lambda: program.log_lines("web config reloaded"))
    assert program.scrape().value(RELOADED) == 0  # config.yaml has changed too, and the change does not apply yet
    assert program.request("POST", "/-/reload") == (200, "Configuration reloaded.\n")
    assert program.scrape().value("qbusiness_exporter_data_sources", target="b") == 1
    assert program.scrape().value(RELOADED) == 1
    assert "hunter2" not in "".join(program.log)


def test_a_repaired_web_config_needs_no_reload(program: Program, tmp_path: Path) -> None:
    """A reload that failed because of the web config alone does not stay failed, and its problems are logged once."""
    valid = (tmp_path / "web.yml").read_text()
    (tmp_path / "web.yml").write_text("tls_server_config: {min_version: TLS10}\n")
    assert program.request("POST", "/-/reload")[0] == 500
    assert program.scrape().value(RELOADED) == 0
    (tmp_path / "web.yml").write_text(valid)
    eventually(lambda: program.scrape().value(RELOADED) == 1)
    assert program.log_lines("configuration reload failed", "web.yml:1:34: min_version")
    assert not program.log_lines("web config reload failed")


def test_the_problems_of_both_files_are_reported_at_once(tmp_path: Path) -> None:
    """`check` prints them in the format of compilers, and `serve` logs them. Both exit with 1."""
    (tmp_path / "config.yaml").write_text("poling: {}\n")
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: nowhere.crt, key_file: nowhere.key}\n")
    problems = [
        f"{tmp_path}/config.yaml:1:1: poling: no such key; did you mean polling?",
        f"{tmp_path}/web.yml:1:32: cert_file: {tmp_path}/nowhere.crt cannot be read: No such file or directory",
        f"{tmp_path}/web.yml:1:55: key_file: {tmp_path}/nowhere.key cannot be read: No such file or directory",
    ]
    files = ("--config.file", tmp_path / "config.yaml", "--web.config.file", tmp_path / "web.yml")
    checked, served = run_command("check", *files), run_command("serve", *files)
    assert (checked.returncode, checked.stderr.splitlines()) == (1, problems)
    assert served.returncode == 1
    events = [line.partition("Z ")[2] for line in served.stderr.splitlines()]
    assert events == [f'level=error msg="configuration not valid" problem="{problem}"' for problem in problems]


def test_check_summarizes_the_web_config(tmp_path: Path) -> None:
    """It prints one line for each file. Commands that do not serve refuse the flag."""
    Certificates(tmp_path)
    (tmp_path / "config.yaml").write_text("targets: [{region: us-east-1}]\n")
    write_web_config(tmp_path, "x")
    config = ("--config.file", tmp_path / "config.yaml")
    done = run_command("check", *config, "--web.config.file", tmp_path / "web.yml")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == (
        f"{tmp_path}/web.yml: no problems; TLS, client certificates: RequireAndVerifyClientCert; users: 1"
    )
    done = run_command("plan", *config, "--web.config.file", tmp_path / "web.yml")
    assert done.returncode == 2
    assert "--web.config.file is a flag of serve and demo and check, not of plan" in done.stderr


def test_the_demo_accepts_a_web_config(tmp_path: Path) -> None:
    """It logs the warnings, and prints the address with https."""
    Certificates(tmp_path)
    slow = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode().replace("$04$", "$17$")
    tls = {"cert_file": "server.crt", "key_file": "server.key"}
    (tmp_path / "web.yml").write_text(yaml.safe_dump({"tls_server_config": tls, "basic_auth_users": {"a": slow}}))
    # An empty name means no file, and the last flag wins.
    with Program(
        ["demo", "--web.config.file=", "--web.config.file", str(tmp_path / "web.yml")], tls=client_context(tmp_path)
    ) as program:
        assert program.get("/-/healthy")[0] == 200
        program.until_logged("configuration warning", "at cost 17")
        eventually(lambda: any(f"https://localhost:{program.address[1]}/metrics" in line for line in program.output))
