"""The configuration loader: valid files load, invalid files result in every problem with its position."""

from __future__ import annotations

import copy
import gc
import json
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.session
import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from exporter import config
from exporter.aws import target_name
from exporter.config import Config, EventsConfig, ObjectiveConfig
from exporter.domain.durations import format_duration
from exporter.domain.model import SourceId
from exporter.domain.objectives import (
    DEFAULT_MAX_DURATION,
    DEFAULT_MAX_FAILED_RATIO,
    DEFAULT_MIN_DOCUMENTS_SCANNED,
)
from exporter.errors import ConfigError
from exporter.providers.kendra.service import KENDRA
from exporter.providers.registry import SERVICES
from tests.support.invalid_configs import invalid_configs

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"
GOOD = ROOT / "tests" / "data" / "config" / "good.yaml"
SCHEMA = ROOT / "docs" / "config.schema.json"
INVALID = invalid_configs("bad_configs.txt")

# A JSON schema cannot express these: they concern YAML itself, the range of a duration, or two values at once.
BEYOND_A_SCHEMA = {
    "a port of a database that does not exist",
    "an interval of document counts that is neither never nor possible",
    "a YAML tag on a section",
    "a YAML tag on an empty value",
    "a YAML tag that contradicts its value",
    "a bucket of zero",
    "a Kendra data source in two targets",
    "a Kendra filter that matches everything",
    "a data source in two targets",
    "a queue that two targets read",
    "a data source named twice",
    "a discovery interval too long",
    "a display name with a line break",
    "a duplicate key deep inside",
    "a duplicate key",
    "a duration beyond the maximum of Prometheus",
    "a duration too long",
    "a URL with blanks",
    "a duration too short",
    "a filter that matches everything",
    "a filter with only empty keys",
    "a key that is a list",
    "a label with a line break",
    "a password for no database",
    "a password in the parameters of a URL",
    "a password with characters that a URL encodes",
    "a state in two places",
    "a loop of aliases",
    "a name that UTF-8 cannot encode",
    "a rate that is NaN",
    "a tab",
    "a target with the region of another target as its name",
    "a window too long",
    "an endpoint with an invalid address",
    "an endpoint with an invalid port",
    "an external id without a role",
    "an objective for a service that does not exist",
    "an objective in the words of another service",
    "an undefined alias",
    "an unknown YAML tag",
    "buckets in descending order",
    "no targets",
    "not YAML",
    "tag labels with the same name",
    "the URL of another database",
    "two Kendra targets in one region",
    "two documents",
    "two passwords for a database",
    "two targets with one name",
    "two targets without name and region",
    "two targets without names in one region",
}


@pytest.mark.parametrize("with_libyaml", [True, False], ids=["libyaml", "PyYAML"])
@pytest.mark.parametrize(
    ("text", "problems"), [pytest.param(each.text, each.problems, id=each.name) for each in INVALID]
)
def test_every_problem_is_reported_with_its_position(
    text: str, problems: list[str], monkeypatch: pytest.MonkeyPatch, *, with_libyaml: bool
) -> None:
    """Loading fails with all problems at once, sorted by position, even where libyaml is not available."""
    monkeypatch.setattr(yaml, "__with_libyaml__", with_libyaml)
    with pytest.raises(ConfigError) as refused:
        config.parse(text, "config.yaml")
    assert [str(problem) for problem in refused.value.problems] == [f"config.yaml:{problem}" for problem in problems]


@pytest.mark.parametrize(("character", "code"), [("\x01", "0001"), ("\udce0", "dce0")])
def test_a_character_that_yaml_forbids_is_reported_with_its_position(character: str, code: str) -> None:
    """The YAML parser reports an offset; the problem has line and column."""
    with pytest.raises(ConfigError) as refused:
        config.parse(f'polling: {{}}\nstate: {{path: "a{character}"}}\n', "f")
    assert str(refused.value) == f"f:2:17: not YAML: character #x{code} is not allowed"


def test_tests_run_with_libyaml() -> None:
    """Without it, the tests that compare it with PyYAML would compare PyYAML with itself."""
    assert yaml.__with_libyaml__


@pytest.mark.parametrize("text", [each.text for each in INVALID if "hunter2" in each.text])
def test_no_message_has_the_password_of_a_database(text: str) -> None:
    """Problems are logged, and an operator may paste them into a ticket."""
    with pytest.raises(ConfigError) as refused:
        config.parse(text, "config.yaml")
    assert "hunter2" not in str(refused.value)


def example_with_database() -> str:
    """Return the example with the keys of a database, which are comments in it, instead of a path."""
    section = re.search(r"^state:\n  path: .*\n((?:  # .*\n)+)", EXAMPLE.read_text(), re.MULTILINE)
    assert section
    keys = [line.replace("# ", "", 1) for line in section[1].splitlines() if re.match(r"  # [a-z_]+: ", line)]
    return EXAMPLE.read_text().replace(section[0], "\n".join(["state:", *keys, ""]))


def test_the_example_loads_without_warnings() -> None:
    """Users start from the example, with a file or with a database."""
    assert config.load(EXAMPLE).warnings == ()
    assert config.parse(example_with_database(), "config.example.yaml").warnings == ()


def test_the_configuration_in_the_readme_loads() -> None:
    """It has at most ten lines, so that a new user can copy it and fill it in."""
    (text,) = re.findall(r"```yaml\n# config.yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(text.splitlines()) <= 10
    assert config.parse(text, "README.md").warnings == ()


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """Yield the dotted names of all keys of a model, in the words of all services."""
    for field_name, field in model.model_fields.items():
        name = field.alias or field_name
        yield name
        for section in filter(_is_model, _parts(field.annotation)):
            yield from (f"{name}.{key}" for key in keys_of(section))


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _parts(part)


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def keys_in(data: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all keys in plain data."""
    if isinstance(data, list):
        for item in data:
            yield from keys_in(item, prefix)
    elif isinstance(data, dict):
        for key, value in data.items():
            yield prefix + key
            if key not in {"labels", "tags"}:
                yield from keys_in(value, f"{prefix}{key}.")


def test_the_example_has_every_key_and_no_other() -> None:
    """The example documents each key; a matcher has the same keys below include and exclude."""
    texts = (EXAMPLE.read_text(), example_with_database())
    keys = {key for text in texts for key in keys_in(yaml.safe_load(text))}
    documented = {key.replace(".exclude.", ".include.") for key in keys}
    assert documented == {key.replace(".exclude.", ".include.") for key in keys_of(Config)}


def test_the_example_names_the_data_source_of_each_service() -> None:
    """The text of one service is written by hand, and those of all others are generated."""
    targets = config.load(EXAMPLE).config.targets
    found = {
        target.service: (*map(target.source_id, target.data_sources),) for target in targets if target.data_sources
    }
    assert found == {service: (SourceId(service, service.example.ids),) for service in SERVICES.values()}


def test_the_example_has_the_default_values() -> None:
    """The sections that the example shows in full equal the configuration without a file."""
    example, default = config.load(EXAMPLE).config, config.default()
    assert (example.polling, example.state, example.metrics) == (default.polling, default.state, default.metrics)
    assert example.documents == default.documents
    discovery = example.targets[1].discovery
    assert discovery
    assert default.targets[0].discovery
    assert discovery.interval == default.targets[0].discovery.interval


def test_every_key_of_a_target_is_read() -> None:
    """Each key has a value other than its default, and aliases are resolved."""
    loaded = config.load(GOOD)
    assert loaded.warnings == ()
    (target,) = loaded.config.targets
    connection = (target.name, target.region, target.role_arn, target.external_id, target.profile, target.endpoint_url)
    assert connection == (
        "Продакшн 1",
        "eu-west-1",
        "arn:aws-us-gov:iam::111122223333:role/path/to/qbusiness@reader",
        "2026-01-01",
        "42",
        "https://[2001:db8::1]:8443/path",
    )
    first, second = target.data_sources
    assert first.path == tuple(f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2, 3))
    assert (first.root, first.name) == ("intranet & more", "hr-sharepoint")
    assert dict(first.labels) == {"team": "hr", "_9": "", "note": "a\u00a0b"}
    assert (second.root, second.name, dict(second.labels)) == ("intranet & more", None, {})


def test_the_queue_of_a_target_is_read() -> None:
    """The queue may be a FIFO queue, and its host an IP address."""
    events = config.load(GOOD).config.targets[0].events
    assert events == EventsConfig(queue_url="https://[2001:db8::2]/111122223333/Sync-events_1.fifo")


def test_every_key_of_discovery_is_read() -> None:
    """Tag keys may have characters that label names cannot have."""
    discovery = config.load(GOOD).config.targets[0].discovery
    assert discovery
    assert (discovery.interval, discovery.tag_labels) == (5400, ("cost centre", "team"))
    by_name, by_tag = discovery.include
    assert by_name.globs == {"application": "intra*", "index": "[a-c]*", "data_source": "?", "type": "S3*"}
    assert dict(by_tag.tags) == {"aws:cloudformation/stack-name": "prod-*"}
    assert [each.globs for each in discovery.exclude] == [{"data_source": "*-test"}]


def test_every_key_of_the_other_sections_is_read() -> None:
    """Durations become seconds."""
    loaded = config.load(GOOD).config
    polling = loaded.polling
    assert (polling.interval, polling.idle_interval, polling.window, polling.timeout) == (90, 600, 604800, 1.5)
    assert (polling.concurrency, polling.requests_per_second, loaded.documents.interval) == (16, 0.5, 43200)
    first, second = loaded.objectives
    match = first.match
    assert (match.containers, match.data_source, match.type) == ({"application": "intranet"}, "archive-*", "S3*")
    assert dict(match.labels) == {"team": "h?"}
    limits = (first.max_success_age, first.max_duration, first.max_failed_ratio, first.min_documents_scanned)
    assert limits == (691200, 43200, 0, 0)
    assert second.match == ObjectiveConfig().match
    assert (second.max_success_age, second.max_failed_ratio) == (None, 1)
    assert (loaded.state.path, loaded.metrics.duration_buckets) == (":memory:", (0.5, 129600))


def test_the_schema_in_docs_is_up_to_date() -> None:
    """`make generate` writes it."""
    assert json.loads(SCHEMA.read_text()) == config.json_schema()


@pytest.mark.parametrize("path", [EXAMPLE, GOOD], ids=lambda path: path.name)
def test_the_schema_accepts_valid_files(path: Path) -> None:
    """An editor that uses the schema reports no problem."""
    jsonschema.Draft202012Validator.check_schema(config.json_schema())
    # JSON has no dates: for an editor, a date is text, as it is for the loader.
    data = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=str))
    jsonschema.validate(data, config.json_schema())


@pytest.mark.parametrize(
    "text", [pytest.param(each.text, id=each.name) for each in INVALID if each.name not in BEYOND_A_SCHEMA]
)
def test_the_schema_rejects_invalid_files(text: str) -> None:
    """The schema rejects every file of the table whose problem it can express."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), config.json_schema())


def test_the_exceptions_for_the_schema_exist() -> None:
    """Each exception is a row of the table."""
    assert {each.name for each in INVALID} >= BEYOND_A_SCHEMA


def test_discovery_is_enabled_for_a_target_without_data_sources() -> None:
    """It is disabled for a target with data sources, unless the key discovery is present."""
    ids = "application_id: " + "a" * 36 + ", index_id: " + "b" * 36 + ", data_source_id: "
    text = f"""
targets:
  - name: discovered
  - name: listed
    data_sources: [{{{ids}{"c" * 36}}}]
  - name: both
    data_sources: [{{{ids}{"d" * 36}}}]
    discovery: {{interval: 1h}}
  - name: both-by-default
    data_sources: [{{{ids}{"e" * 36}}}]
    discovery:
"""
    enabled = {target.name: bool(target.discovery) for target in config.parse(text, "f").config.targets}
    assert enabled == {"discovered": True, "listed": False, "both": True, "both-by-default": True}


@pytest.mark.parametrize("text", ["", "# nothing\n", "polling:\n", "targets:\nstate:\n"])
def test_keys_without_a_value_have_their_defaults(text: str) -> None:
    """A key without a value equals an absent key."""
    assert config.parse(text, "f").config == config.default()


def test_a_configuration_is_immutable() -> None:
    """Threads share it."""
    with pytest.raises(ValidationError):
        config.default().polling.interval = 1.0  # type: ignore[misc]  # the assignment must fail
    assert hash(config.load(GOOD).config) == hash(config.load(GOOD).config)


def test_the_descriptions_of_objectives_state_the_default_thresholds() -> None:
    """The defaults are declared with the objectives, and an objective that does not set a threshold has None."""
    defaults = {
        "max_duration": format_duration(DEFAULT_MAX_DURATION),
        "max_failed_ratio": DEFAULT_MAX_FAILED_RATIO,
        "min_documents_scanned": DEFAULT_MIN_DOCUMENTS_SCANNED,
    }
    for name, default in defaults.items():
        field = ObjectiveConfig.model_fields[name]
        assert field.description
        assert field.description.endswith(f"default: {default}.")
        assert field.default is None


@pytest.mark.parametrize(
    ("key", "most", "message"),
    [
        ("name: {}", 1000, "name: {} characters are too many: write at most 1000"),
        ("labels: {{team: {}}}", 256, "team: {} characters are too many: write at most 256"),
    ],
)
def test_text_has_a_maximum_length(key: str, most: int, message: str) -> None:
    """Text of the maximum length is valid."""
    ids = "\n".join(f"    {kind}_id: {kind[0]}{'0' * 35}" for kind in ("application", "index", "data_source"))
    start = f"targets:\n- data_sources:\n  -\n{ids}\n    "
    config.parse(start + key.format("x" * most), "f")
    with pytest.raises(ConfigError) as refused:
        config.parse(start + key.format("x" * (most + 1)), "f")
    assert [problem.message for problem in refused.value.problems] == [message.format(most + 1)]


def test_a_data_source_has_at_most_32_labels() -> None:
    """Each is a label of a metric."""
    labels = {f"label{number}": "x" for number in range(33)}
    ids = dict.fromkeys(("application_id", "index_id", "data_source_id"), "a" * 36)
    text = yaml.safe_dump({"targets": [{"data_sources": [{**ids, "labels": labels}]}]})
    with pytest.raises(ConfigError, match="labels: 33 entries are too many: write at most 32"):
        config.parse(text, "f")


@pytest.mark.parametrize(
    ("text", "interval", "idle"),
    [("interval: 10m", 600, 600), ("interval: 10s", 10, 300), ("{interval: 10m, idle_interval: 1m}", 600, 60)],
)
def test_the_idle_interval_is_at_least_the_interval_by_default(text: str, interval: float, idle: float) -> None:
    """An explicit idle_interval may be shorter."""
    polling = config.parse(f"polling: {text}" if text[0] == "{" else f"polling:\n  {text}", "f").config.polling
    assert (polling.interval, polling.idle_interval) == (interval, idle)


@pytest.mark.parametrize(
    ("text", "with_events"),
    [("{}", 1800), ("{interval: 1h}", 3600), ("{idle_interval: 5m}", 300), ("{idle_interval: 2h}", 7200)],
)
def test_the_default_idle_interval_is_longer_with_events(text: str, with_events: float) -> None:
    """A value in the file applies with events too, even if it is the default without them."""
    assert config.parse(f"polling: {text}", "f").config.polling.idle_interval_with_events == with_events


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "polling: {interval: 1s}",
            "1:21: interval: AWS throttles requests at intervals below 10s; 1m and 5m are enough",
        ),
        (
            "polling: {requests_per_second: 50}",
            "1:32: requests_per_second: AWS throttles at a rate that it does not publish; 5 is safe",
        ),
        (
            "documents: {interval: 10m}",
            "1:23: interval: each count lists all documents; 6h is enough to notice documents that remain failed",
        ),
        (
            "polling: {interval: 5m, idle_interval: 1m}",
            "1:40: idle_interval: idle data sources are polled more often than active ones, every 1m, not 5m",
        ),
        (
            "polling: {window: 2m}",
            "1:19: window: shorter than idle_interval, so a job can start and leave the window between two polls",
        ),
        (
            "targets: [{region: eu-central-1}]",
            "1:20: region: Amazon Q Business is documented for us-east-1, us-west-2, eu-west-1, ap-southeast-2 only",
        ),
        (
            "targets: [{discovery: {interval: 5s}}]",
            "1:34: interval: below 1m, discovery sends most of the requests",
        ),
        (
            "targets:\n  - {name: a, region: us-east-1}\n  - {name: b, region: us-east-1}",
            "3:5: targets: an earlier target finds the same data sources, and polls all that both find",
        ),
        (
            "targets:\n  - {name: a, discovery: {include: [{type: S3}]}}\n  - {name: b}",
            "3:5: targets: an earlier target finds the same data sources, and polls all that both find",
        ),
        (
            "targets: [{endpoint_url: 'http://vpce.example.com'}]",
            "1:26: endpoint_url: without TLS, everyone on the network path can read and change responses: write https://",
        ),
        (
            "targets: [{events: {queue_url: 'http://sqs.example.com/111122223333/sync-events'}}]",
            "1:32: queue_url: without TLS, everyone on the network path can read and change responses: write https://",
        ),
        (
            "targets: [{events: {queue_url: 'https://sqs.example.com/111122223333/sync'}}]\npolling: {window: 10m}",
            "2:19: window: shorter than idle_interval, so a job can start and leave the window between two polls",
        ),
    ],
)
def test_inadvisable_settings_cause_a_warning(text: str, warning: str) -> None:
    """The configuration loads."""
    assert [str(problem) for problem in config.parse(text, "f").warnings] == [f"f:{warning}"]


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.8.9.10", "[::1]:80", "localhost"])
def test_short_intervals_cause_no_warning_on_the_loopback(host: str) -> None:
    """A simulated service does not throttle."""
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
def test_targets_with_different_data_sources_cause_no_warning(text: str) -> None:
    """They have different regions, different credentials, or filters that may separate them."""
    assert config.parse(text, "f").warnings == ()


def test_short_intervals_cause_a_warning_if_any_target_is_aws() -> None:
    """A second target on the loopback makes no difference."""
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
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, make: Any, message: str) -> None:
    """The message has the format of other problems."""
    path = tmp_path / "config.yaml"
    make(path)
    with pytest.raises(ConfigError) as refused:
        config.load(path)
    assert str(refused.value) == f"{path}:{message}"


@pytest.mark.parametrize("text", ["", "targets: [{regoin: x}]", "a: ["], ids=["valid", "invalid", "not YAML"])
def test_a_load_leaves_garbage_collection_as_it_was(text: str) -> None:
    """It is paused during a load. Without it, the exporter would need more and more memory."""
    with suppress(ConfigError):
        config.parse(text, "f")
    assert gc.isenabled()


def loads_or_reports_problems(text: str) -> None:
    """Assert that a configuration loads, or fails with positions and our own messages."""
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
    # Messages of pydantic begin like this. One here means that the table of messages lacks an error type.
    assert not any("should" in problem.message for problem in problems)


@given(st.text())
def test_any_text_loads_or_is_rejected(text: str) -> None:
    """No text causes another exception."""
    loads_or_reports_problems(text)


MUTATIONS = ["", "{", "]", "&a ", "*a", "? ", "- ", ": ", "\n", "!!set", "!!int ", "<<: ", "1", "~", "2026-01-01"]
WORDS = [*MUTATIONS, *Config.model_fields, "interval", "labels", "include", "http://[", "0x", "9" * 400, "'", '"', "  "]


@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_random_yaml_loads_or_is_rejected(words: list[str]) -> None:
    """No sequence of YAML tokens causes another exception."""
    loads_or_reports_problems("".join(words))


@given(data=st.data())
def test_a_mutation_of_the_example_loads_or_is_rejected(data: st.DataObject) -> None:
    """No change of a few characters causes another exception."""
    text = EXAMPLE.read_text()
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 40))
    insert = data.draw(st.sampled_from(MUTATIONS))
    loads_or_reports_problems(text[:at] + insert + text[at + length :])


EXAMPLE_DATA = yaml.safe_load(EXAMPLE.read_text())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(keys_of(Config))), inner, max_size=3)
    ),
)


@given(data=st.data())
def test_any_value_in_the_example_loads_or_is_rejected(data: st.DataObject) -> None:
    """No value in any place causes another exception."""
    loaded = copy.deepcopy(EXAMPLE_DATA)
    place = loaded
    for _ in range(data.draw(st.integers(1, 4))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key]:
            break
        place = place[key]
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    place[data.draw(st.sampled_from(keys))] = data.draw(VALUES)
    loads_or_reports_problems(yaml.safe_dump(loaded))


def test_a_target_of_another_service_has_the_words_of_that_service() -> None:
    """Its data sources, its filters and its default name follow from the service."""
    text = """
targets:
  - region: us-east-1
  - service: kendra
    region: us-east-1
    data_sources: [{index_id: 5d7c2b90-4e1a-4f6b-8a3d-2c9e0f7b6a15, data_source_id: hr_1, index: helpdesk}]
    discovery: {include: [{index: "help*"}]}
"""
    loaded = config.parse(text, "f")
    first, second = loaded.config.targets
    assert (target_name(first), target_name(second)) == ("us-east-1", "us-east-1/kendra")
    assert second.discovery
    assert [matcher.globs for matcher in second.discovery.include] == [{"index": "help*"}]
    (source,) = second.data_sources
    assert source.root == "helpdesk"
    assert second.source_id(source) == SourceId(KENDRA, ("5d7c2b90-4e1a-4f6b-8a3d-2c9e0f7b6a15", "hr_1"))
    assert loaded.warnings == ()


def test_regions_are_those_of_the_service() -> None:
    """Amazon Kendra is documented for more regions."""
    (warning,) = config.parse("targets: [{service: kendra, region: eu-central-1}]", "f").warnings
    assert warning.message.startswith("region: Amazon Kendra is documented for us-east-1, us-east-2, ")
    assert config.parse("targets: [{service: kendra, region: us-east-2}]", "f").warnings == ()


def test_regions_and_roles_of_every_partition_are_valid() -> None:
    """The SDK lists them, and a partition may have a longer prefix than two letters."""
    session = botocore.session.get_session()
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("sts", partition, allow_non_regional=False):
            role = f"arn:{partition}:iam::111122223333:role/reader"
            (target,) = config.parse(f"targets: [{{region: {region}, role_arn: '{role}'}}]", "f").config.targets
            assert (target.region, target.role_arn) == (region, role)
