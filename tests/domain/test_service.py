"""The names that are derived from a service."""

import pytest

from exporter.domain.service import Service
from exporter.providers.kendra.service import KENDRA
from exporter.providers.qbusiness.service import QBUSINESS


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
