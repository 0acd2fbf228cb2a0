"""The names that are derived from a service, and the rules for its ids."""

import re

import pytest

from exporter.domain.service import Level, Service
from exporter.providers.kendra.service import KENDRA
from exporter.providers.qbusiness.service import QBUSINESS
from exporter.providers.registry import SERVICES

CHARACTERS = {"letter": "Z", "digit": "0", "hyphen": "-", "underscore": "_"}
LEVELS = [
    pytest.param(level, id=f"{service}-{level.word}") for service in SERVICES.values() for level in service.levels
]


@pytest.mark.parametrize(
    ("service", "kind", "name"),
    [
        (QBUSINESS, "SyncFailed", "QBusinessSyncFailed"),
        (QBUSINESS, "ContainerNotActive", "QBusinessIndexNotActive"),
        (KENDRA, "ContainerNotActive", "KendraIndexNotActive"),
    ],
)
def test_alerts_have_the_prefix_and_the_words_of_their_service(service: Service, kind: str, name: str) -> None:
    """The alerts of two services never have the same name."""
    assert service.alert(kind) == name


@pytest.mark.parametrize("level", LEVELS)
def test_the_rule_of_an_id_is_that_of_its_pattern(level: Level) -> None:
    """The message about an invalid id has its lengths, its characters, and what its first character may be."""
    accepts = re.compile(level.id_pattern).fullmatch
    lengths = [length for length in range(1, 200) if accepts("a" * length)]
    assert re.findall(r"\d+", level.id_rule) == list(dict.fromkeys([str(lengths[0]), str(lengths[-1])]))
    rest = "a" * (lengths[-1] - 1)
    allowed = {name for name, character in CHARACTERS.items() if accepts(rest + character)}
    at_first = {name for name, character in CHARACTERS.items() if accepts(character + rest)}
    lengths_and_characters, _, first = level.id_rule.partition(", and begins with ")
    assert {name for name in CHARACTERS if name in lengths_and_characters} == allowed
    assert {name for name in CHARACTERS if name in (first or lengths_and_characters)} == at_first
