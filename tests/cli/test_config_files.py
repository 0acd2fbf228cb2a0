"""The configuration file at reloads: a file that was there must stay there, with content."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from exporter import files
from exporter.cli.config_files import ConfigReader
from exporter.errors import ConfigError
from exporter.simulator.fleet import SimulatedDataSource
from exporter.simulator.server import SimulatedEndpoint
from tests.support.harness import Program, config_for, fleet_of

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS = "targets: [{region: eu-west-1}]\n"


def replace_with_pipe(file: Path) -> None:
    """Replace a file with a named pipe that has no writer."""
    file.unlink()
    os.mkfifo(file)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of config.yaml in the current folder. It does not exist yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "END_TIMEOUT", 0.1)
    return Path("config.yaml")


def reader(config_file: Path | None = None) -> ConfigReader:
    """Return a reader with the flags of a command line."""
    return ConfigReader(Namespace(config_file=config_file, web_config_file=None))


def test_without_a_file_the_defaults_apply_until_there_is_one(file: Path) -> None:
    """A file that appears is read at the next reload."""
    configuration = reader()
    assert configuration.read().file == "built-in defaults"
    file.write_text(TARGETS)
    loaded = configuration.read()
    assert (loaded.file, loaded.config.targets[0].region) == ("config.yaml", "eu-west-1")


def test_a_link_without_its_file_is_an_error_at_the_start(file: Path) -> None:
    """The operator has a configuration, so the defaults are not what is wanted."""
    file.symlink_to("missing.yaml")
    with pytest.raises(ConfigError, match=r"config.yaml:1:1: cannot be read: No such file or directory"):
        reader().read()


@pytest.mark.parametrize("config_file", [None, Path("config.yaml")])
@pytest.mark.parametrize(
    ("lose", "problem"),
    [
        (Path.unlink, "config.yaml:1:1: cannot be read: No such file or directory"),
        (lambda file: file.write_text(""), "config.yaml:1:1: empty, although it was not when it was last read"),
        (
            lambda file: file.write_text("# later\n"),
            "config.yaml:1:1: empty, although it was not when it was last read",
        ),
        (replace_with_pipe, "config.yaml:1:1: cannot be read: a pipe or a device that did not end within"),
    ],
)
def test_a_file_that_was_lost_is_an_error(
    file: Path, lose: Callable[[Path], object], problem: str, config_file: Path | None
) -> None:
    """This holds with and without `--config.file`, until the file is back."""
    file.write_text(TARGETS)
    configuration = reader(config_file)
    configuration.read()
    lose(file)
    for _ in range(2):
        with pytest.raises(ConfigError, match=problem):
            configuration.read()
    file.unlink(missing_ok=True)
    file.write_text(TARGETS)
    assert configuration.read().config.targets[0].region == "eu-west-1"


def test_a_file_that_was_always_empty_is_valid(file: Path) -> None:
    """It means the defaults, at the start and at a reload."""
    file.write_text("# nothing yet\n")
    configuration = reader()
    assert configuration.read().config == configuration.read().config


@pytest.mark.parametrize("lose", [Path.unlink, lambda file: file.write_text("")])
def test_a_reload_without_the_file_keeps_the_targets(tmp_path: Path, lose: Callable[[Path], object]) -> None:
    """The response is 500, and the series of the targets stay."""
    with SimulatedEndpoint(fleet_of(SimulatedDataSource("hr"))) as service:
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(config_for(service, ":memory:")))
        with Program(["serve"], {"AWS_ENDPOINT_URL_STS": service.url}, folder=tmp_path) as program:
            program.until_ready()
            lose(file)
            status, text = program.request("POST", "/-/reload")
            assert status == 500
            assert "keeping the previous one" in text
            scrape = program.scrape()
            assert scrape.value("qbusiness_poll_success") == 1
            assert scrape.value("qbusiness_exporter_config_last_reload_successful") == 0
