"""The configuration: good files load, bad ones name every problem with its place, and nothing else ever happens."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from exporter import config
from exporter.config import Config, format_duration, parse_duration
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config.example.yaml"
SCHEMA = ROOT / "docs" / "config.schema.json"


def bad_files() -> list[tuple[str, str, list[str]]]:
    """Give what is wrong, the file, and everything that is said of it: line:column: message."""
    table = (Path(__file__).parent / "data" / "bad_configs.txt").read_text()
    cases = (case.partition("\n") for case in table.split("### ")[1:])
    parts = ((name, *case.rpartition("---\n")[::2]) for name, _, case in cases)
    return [(name, text, problems.strip().splitlines()) for name, text, problems in parts]


BAD = bad_files()

# Of these a schema cannot tell: they are about YAML itself, or about two values at once.
BEYOND_A_SCHEMA = {
    "a data source in two targets",
    "a data source named twice",
    "a display name with a line break",
    "a duplicate key",
    "a duplicate key deep inside",
    "a filter that matches everything",
    "a key that is a list",
    "a label of the wrong form",
    "a loop of aliases",
    "a merge key",
    "a rate that is not a number",
    "a tab",
    "a duration too long",
    "a duration too short",
    "a window too long",
    "an external id without a role",
    "an undefined alias",
    "an unknown tag",
    "buckets that fall",
    "no targets",
    "not YAML",
    "two documents",
    "two nameless targets of one region",
    "two targets of one name",
    "two targets without name and region",
}


@pytest.mark.parametrize(("text", "problems"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
def test_every_problem_is_named_with_its_place(text: str, problems: list[str]) -> None:
    """In the words of a person, sorted by where it stands."""
    with pytest.raises(ConfigError) as refused:
        config.parse(text, "config.yaml")
    assert [str(problem) for problem in refused.value.problems] == [f"config.yaml:{problem}" for problem in problems]


def test_a_character_that_yaml_has_not_is_named() -> None:
    """With its place, as everything else."""
    with pytest.raises(ConfigError) as refused:
        config.parse('polling: {}\nstate: {path: "a\x01"}\n', "f")
    assert str(refused.value) == "f:2:17: not YAML: character #x0001 is not allowed"


def test_the_example_loads_without_a_word() -> None:
    """It is what people begin with."""
    assert config.load(EXAMPLE).warnings == ()


def test_the_readme_shows_a_configuration_that_works() -> None:
    """Ten lines that a newcomer copies and fills in."""
    (shown,) = re.findall(r"```yaml\n# config.yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(shown.splitlines()) <= 10
    assert config.parse(shown, "README.md").warnings == ()


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """Give the dotted names of all keys that a model has."""
    for name, field in model.model_fields.items():
        yield name
        inner = next((part for part in _parts(field.annotation) if _is_model(part)), None)
        if inner:
            yield from (f"{name}.{key}" for key in keys_of(inner))


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _parts(part)


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def keys_in(data: Any, above: str = "") -> Iterator[str]:
    """Give the dotted names of all keys that plain data has."""
    if isinstance(data, list):
        for item in data:
            yield from keys_in(item, above)
    elif isinstance(data, dict):
        for key, value in data.items():
            yield above + key
            if key not in {"labels", "tags"}:
                yield from keys_in(value, f"{above}{key}.")


def test_the_example_has_every_key_and_no_other() -> None:
    """A key that nobody can read about does not exist."""
    shown = {key.replace(".exclude.", ".include.") for key in keys_in(yaml.safe_load(EXAMPLE.read_text()))}
    assert shown == {key.replace(".exclude.", ".include.") for key in keys_of(Config)}


def test_the_examples_values_are_the_defaults_where_it_says_so() -> None:
    """Sections that the example shows in full are what one gets without a file."""
    shown, default = config.load(EXAMPLE).config, config.default()
    assert (shown.polling, shown.state, shown.metrics) == (default.polling, default.state, default.metrics)
    discovery = shown.targets[1].discovery
    assert discovery
    assert default.targets[0].discovery
    assert discovery.interval == default.targets[0].discovery.interval


def test_the_schema_is_that_of_the_models() -> None:
    """`make docs` writes it."""
    assert json.loads(SCHEMA.read_text()) == config.json_schema()


def test_the_schema_accepts_the_example() -> None:
    """Editors find nothing to underline."""
    jsonschema.Draft202012Validator.check_schema(config.json_schema())
    jsonschema.validate(yaml.safe_load(EXAMPLE.read_text()), config.json_schema())


@pytest.mark.parametrize("text", [pytest.param(case[1], id=case[0]) for case in BAD if case[0] not in BEYOND_A_SCHEMA])
def test_the_schema_refuses_what_loading_refuses(text: str) -> None:
    """As far as a schema can tell."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), config.json_schema())


def test_discovery_is_on_for_a_target_that_names_no_data_sources() -> None:
    """And off for one that does, unless it asks for both."""
    ids = "application_id: " + "a" * 36 + ", index_id: " + "b" * 36 + ", data_source_id: "
    text = f"""
targets:
  - name: found
  - name: named
    data_sources: [{{{ids}{"c" * 36}}}]
  - name: both
    data_sources: [{{{ids}{"d" * 36}}}]
    discovery: {{interval: 1h}}
  - name: both-by-default
    data_sources: [{{{ids}{"e" * 36}}}]
    discovery:
"""
    on = {target.name: bool(target.discovery) for target in config.parse(text, "f").config.targets}
    assert on == {"found": True, "named": False, "both": True, "both-by-default": True}


@pytest.mark.parametrize("text", ["", "# nothing\n", "polling:\n", "targets:\nstate:\n"])
def test_what_is_empty_is_default(text: str) -> None:
    """A key with nothing behind it is a key that is not there."""
    assert config.parse(text, "f").config == config.default()


def test_a_configuration_does_not_change() -> None:
    """It is shared between threads."""
    with pytest.raises(ValidationError):
        config.default().polling.interval = 1.0  # type: ignore[misc]  # that it cannot is the point


@pytest.mark.parametrize(
    ("text", "interval", "idle"),
    [("interval: 10m", 600, 600), ("interval: 10s", 10, 300), ("{interval: 10m, idle_interval: 1m}", 600, 60)],
)
def test_the_idle_interval_follows_a_longer_interval(text: str, interval: float, idle: float) -> None:
    """Unless it is given."""
    polling = config.parse(f"polling: {text}" if text[0] == "{" else f"polling:\n  {text}", "f").config.polling
    assert (polling.interval, polling.idle_interval) == (interval, idle)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "polling: {interval: 1s}",
            "1:21: interval: below 10s AWS throttles long before syncs change; 1m and 5m are enough",
        ),
        (
            "polling: {requests_per_second: 50}",
            "1:32: requests_per_second: AWS throttles at a rate that it does not publish; 5 is safe",
        ),
        (
            "polling: {interval: 5m, idle_interval: 1m}",
            ("1:40: idle_interval: quiet data sources would be asked oftener than busy ones, every 1m against 5m"),
        ),
        ("polling: {window: 2m}", "1:19: window: shorter than idle_interval, so that jobs come and go unseen in it"),
        (
            "targets: [{region: eu-central-1}]",
            ("1:20: region: Amazon Q Business is documented for us-east-1, us-west-2, eu-west-1, ap-southeast-2 only"),
        ),
        (
            "targets: [{discovery: {interval: 5s}}]",
            "1:34: interval: below 1m most requests go into looking around",
        ),
    ],
)
def test_what_is_unwise_is_a_warning(text: str, warning: str) -> None:
    """It works all the same."""
    assert [str(problem) for problem in config.parse(text, "f").warnings] == [f"f:{warning}"]


def test_against_a_simulation_any_pace_is_wise() -> None:
    """Nobody is throttled on the loopback."""
    text = "targets: [{endpoint_url: 'http://127.0.0.1:1'}]\npolling: {interval: 100ms, requests_per_second: 100}"
    assert config.parse(text, "f").warnings == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "1:1: cannot be read: No such file or directory"),
        (lambda path: path.mkdir(), "1:1: cannot be read: Is a directory"),
        (lambda path: path.write_bytes(b"a: 1\nb: \xff"), "2:1: not UTF-8: byte 0xff at offset 8"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem_too(tmp_path: Path, make: Any, message: str) -> None:
    """With the same form of message."""
    path = tmp_path / "config.yaml"
    make(path)
    with pytest.raises(ConfigError) as refused:
        config.load(path)
    assert str(refused.value) == f"{path}:{message}"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("500ms", 0.5), ("90s", 90), ("1h30m", 5400), ("1d", 86400), ("1w", 604800), ("1y", 31536000), (0, 0)],
)
def test_durations_are_those_of_prometheus(text: object, seconds: float) -> None:
    """Units from years to milliseconds, the larger first."""
    assert parse_duration(text) == seconds


@given(st.integers(1, 10**12))
def test_durations_survive_being_written(milliseconds: int) -> None:
    """What is written is read back."""
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


def loads_or_says_why(text: str) -> None:
    """Accept a configuration or a ConfigError with places, and nothing else."""
    try:
        config.parse(text, "f")
    except ConfigError as refused:
        problems = refused.problems
    else:
        return
    assert problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    """Any text loads or is refused with its problems."""
    loads_or_says_why(text)


MUTATIONS = ["", "{", "]", "&a ", "*a", "? ", "- ", ": ", "\n", "!!set", "1", "~", "2026-01-01"]


@given(data=st.data())
def test_no_mutation_of_the_example_breaks_it(data: st.DataObject) -> None:
    """Nor does a file that is nearly right."""
    text = EXAMPLE.read_text()
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    insert = data.draw(
        st.sampled_from(["", "{", "]", "&a ", "*a", "? ", "- ", ": ", "\n", "!!set", "1", "~", "2026-01-01"])
    )
    loads_or_says_why(text[:at] + insert + text[at + length :])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(keys_of(Config))), inner, max_size=3)
    ),
)


@given(data=st.data())
def test_no_value_anywhere_breaks_it(data: st.DataObject) -> None:
    """Whatever stands where a value belongs."""
    loaded = yaml.safe_load(EXAMPLE.read_text())
    place = loaded
    for _ in range(data.draw(st.integers(1, 4))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key]:
            break
        place = place[key]
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    place[data.draw(st.sampled_from(keys))] = data.draw(json_values)
    loads_or_says_why(yaml.safe_dump(loaded))
