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
from exporter.config import (
    DEFAULT_OBJECTIVE,
    Config,
    DataSourceConfig,
    DiscoveryConfig,
    ObjectiveMatch,
    format_duration,
    parse_duration,
)
from exporter.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"
GOOD = Path(__file__).parents[1] / "data" / "config" / "good.yaml"
SCHEMA = ROOT / "docs" / "config.schema.json"


def bad_files() -> list[tuple[str, str, list[str]]]:
    """Give what is wrong, the file, and everything that is said of it: line:column: message."""
    table = (Path(__file__).parents[1] / "data" / "bad_configs.txt").read_text()
    cases = (case.partition("\n") for case in table.split("### ")[1:])
    parts = ((name, *case.rpartition("---\n")[::2]) for name, _, case in cases)
    return [(name, text, problems.strip().splitlines()) for name, text, problems in parts]


BAD = bad_files()

# Of these a schema cannot tell: they are about YAML itself, or about two values at once.
BEYOND_A_SCHEMA = {
    "a bucket of nothing",
    "a duration longer than time",
    "a filter of nothing but nothings",
    "a label with a line break",
    "a name of a target like another's region",
    "a name that UTF-8 cannot encode",
    "a discovery interval too long",
    "a tag on a section",
    "a tag on nothing",
    "a tag that its value denies",
    "an endpoint that is no address",
    "an endpoint without such a port",
    "a data source in two targets",
    "tag labels that would be one",
    "a data source named twice",
    "a display name with a line break",
    "a duplicate key",
    "a duplicate key deep inside",
    "a filter that matches everything",
    "a key that is a list",
    "a loop of aliases",
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


def test_every_key_is_understood() -> None:
    """With a value of its own, and aliases followed."""
    loaded = config.load(GOOD)
    assert loaded.warnings == ()
    (target,) = loaded.config.targets
    account = (target.name, target.region, target.role_arn, target.external_id, target.profile, target.endpoint_url)
    assert account == (
        "Продакшн 1",
        "eu-west-1",
        "arn:aws-us-gov:iam::111122223333:role/path/to/qbusiness@reader",
        "2026-01-01",
        "42",
        "https://[2001:db8::1]:8443/path",
    )
    first, second = target.data_sources
    assert first == DataSourceConfig(
        application_id="00000000-0000-0000-0000-000000000001",
        index_id="00000000-0000-0000-0000-000000000002",
        data_source_id="00000000-0000-0000-0000-000000000003",
        application="intranet & more",
        name="hr-sharepoint",
        labels={"team": "hr", "_9": "", "note": "a\u00a0b"},
    )
    assert (second.application, second.name, dict(second.labels)) == ("intranet & more", None, {})


def test_every_key_of_discovery_is_understood() -> None:
    """Tags have names that labels cannot have."""
    discovery = config.load(GOOD).config.targets[0].discovery
    assert discovery == DiscoveryConfig.model_validate(
        {
            "interval": "90m",
            "include": [
                {"application": "intra*", "index": "[a-c]*", "data_source": "?", "type": "S3*"},
                {"tags": {"aws:cloudformation/stack-name": "prod-*"}},
            ],
            "exclude": [{"data_source": "*-test"}],
            "tag_labels": ["cost centre", "team"],
        },
    )


def test_every_key_of_the_other_sections_is_understood() -> None:
    """Durations become seconds."""
    loaded = config.load(GOOD).config
    polling = loaded.polling
    assert (polling.interval, polling.idle_interval, polling.window, polling.timeout) == (90, 600, 604800, 1.5)
    assert (polling.concurrency, polling.requests_per_second) == (16, 0.5)
    first, second = loaded.objectives
    assert first.match == ObjectiveMatch(
        application="intranet", data_source="archive-*", type="S3*", labels={"team": "h?"}
    )
    limits = (first.max_success_age, first.max_duration, first.max_failed_ratio, first.min_documents_scanned)
    assert limits == (691200, 43200, 0, 0)
    assert (second.match, second.max_success_age, second.max_failed_ratio) == (ObjectiveMatch(), None, 1)
    assert (loaded.state.path, loaded.metrics.duration_buckets) == (":memory:", (0.5, 129600))


def test_the_schema_is_that_of_the_models() -> None:
    """`make docs` writes it."""
    assert json.loads(SCHEMA.read_text()) == config.json_schema()


@pytest.mark.parametrize("path", [EXAMPLE, GOOD], ids=lambda path: path.name)
def test_the_schema_accepts_what_loads(path: Path) -> None:
    """Editors find nothing to underline."""
    jsonschema.Draft202012Validator.check_schema(config.json_schema())
    # JSON has no dates: in an editor one is text, as it is when loaded.
    data = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))
    jsonschema.validate(data, config.json_schema())


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
    assert hash(config.load(GOOD).config) == hash(config.load(GOOD).config)


def test_defaults_stand_behind_every_objective() -> None:
    """But for the age of a success, which follows from the schedule."""
    behind = DEFAULT_OBJECTIVE
    limits = (behind.max_success_age, behind.max_duration, behind.max_failed_ratio, behind.min_documents_scanned)
    assert limits == (None, 86400, 0.05, 1)


@pytest.mark.parametrize(
    ("key", "most", "message"),
    [
        ("name: {}", 1000, "name: {} characters are too many: give at most 1000"),
        ("labels: {{team: {}}}", 256, "team: {} characters are too many: give at most 256"),
    ],
)
def test_texts_end_somewhere(key: str, most: int, message: str) -> None:
    """Up to the limit they are fine."""
    ids = "\n".join(f"    {kind}_id: {kind[0]}{'0' * 35}" for kind in ("application", "index", "data_source"))
    start = f"targets:\n- data_sources:\n  -\n{ids}\n    "
    config.parse(start + key.format("x" * most), "f")
    with pytest.raises(ConfigError) as refused:
        config.parse(start + key.format("x" * (most + 1)), "f")
    assert [problem.message for problem in refused.value.problems] == [message.format(most + 1)]


def test_a_source_has_no_more_than_32_labels() -> None:
    """Each is a label of a metric."""
    some = {f"label{number}": "x" for number in range(33)}
    ids = dict.fromkeys(("application_id", "index_id", "data_source_id"), "a" * 36)
    text = yaml.safe_dump({"targets": [{"data_sources": [{**ids, "labels": some}]}]})
    with pytest.raises(ConfigError, match="labels: 33 are too many: give at most 32"):
        config.parse(text, "f")


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
        (
            "targets:\n  - {name: a, region: us-east-1}\n  - {name: b, region: us-east-1}",
            "3:5: targets: one before it sees the same data sources, and polls all that both see",
        ),
        (
            "targets:\n  - {name: a, discovery: {include: [{type: S3}]}}\n  - {name: b}",
            "3:5: targets: one before it sees the same data sources, and polls all that both see",
        ),
    ],
)
def test_what_is_unwise_is_a_warning(text: str, warning: str) -> None:
    """It works all the same."""
    assert [str(problem) for problem in config.parse(text, "f").warnings] == [f"f:{warning}"]


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.8.9.10", "[::1]:80", "localhost"])
def test_against_a_simulation_any_pace_is_wise(host: str) -> None:
    """Nobody is throttled on the loopback."""
    text = f"targets: [{{endpoint_url: 'http://{host}'}}]\npolling: {{interval: 100ms, requests_per_second: 100}}"
    assert config.parse(text, "f").warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        "targets: [{name: a, region: us-east-1}, {name: b, region: us-west-2}]",
        "targets: [{name: a}, {name: b, profile: other}]",
        "targets: [{name: a, discovery: {include: [{type: S3}]}}, {name: b, discovery: {exclude: [{type: S3}]}}]",
    ],
)
def test_targets_that_look_elsewhere_are_fine(text: str) -> None:
    """Another region, other credentials, or filters that may keep them apart."""
    assert config.parse(text, "f").warnings == ()


def test_a_pace_is_unwise_where_one_target_is_aws() -> None:
    """Whatever the others are."""
    text = "targets: [{name: a, endpoint_url: 'http://[::1]'}, {name: b}]\npolling: {idle_interval: 9s, interval: 9s}"
    assert [problem.message.partition(":")[0] for problem in config.parse(text, "f").warnings] == [
        "interval",
        "idle_interval",
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "1:1: cannot be read: No such file or directory"),
        (lambda path: path.mkdir(), "1:1: cannot be read: Is a directory"),
        (lambda path: path.write_bytes(b"a: 1\nb: \xff"), "2:4: not UTF-8: byte 0xff; save the file as UTF-8"),
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
    assert problems == sorted(problems)
    assert all(len(str(problem).splitlines()) == 1 for problem in problems)
    assert not any("Input should" in problem.message for problem in problems)  # pydantic's words are not ours


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    """Any text loads or is refused with its problems."""
    loads_or_says_why(text)


MUTATIONS = ["", "{", "]", "&a ", "*a", "? ", "- ", ": ", "\n", "!!set", "!!int ", "<<: ", "1", "~", "2026-01-01"]
WORDS = [*MUTATIONS, *Config.model_fields, "interval", "labels", "include", "http://[", "0x", "9" * 400, "'", '"', "  "]


@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_no_jumble_of_yaml_breaks_it(words: list[str]) -> None:
    """Nor does text that looks like YAML."""
    loads_or_says_why("".join(words))


@given(data=st.data())
def test_no_mutation_of_the_example_breaks_it(data: st.DataObject) -> None:
    """Nor does a file that is nearly right."""
    text = EXAMPLE.read_text()
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    insert = data.draw(st.sampled_from(MUTATIONS))
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
