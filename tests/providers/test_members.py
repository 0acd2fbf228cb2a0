"""Members of responses that several providers read."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from exporter.errors import ProviderError
from exporter.providers.members import integer, seconds
from tests.support.builders import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_NOON = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(NOON))


@pytest.fixture(params=["UTC", "Asia/Tokyo"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the time zone of the host."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    "value",
    [
        f"{AT_NOON}.000000+00:00",
        f"{AT_NOON}Z",
        AT_NOON,
        time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(NOON)),
        str(NOON),
        NOON,
        int(NOON),
    ],
)
def test_a_time_in_any_form_is_the_same_on_every_host(value: object) -> None:
    """Text without an offset is in UTC, and not in the time zone of the host."""
    assert seconds({"startedAt": value}, "startedAt") == NOON


@pytest.mark.parametrize("value", ["", "yesterday", "2026-13-45", "1e400", "nan", "0000-00-00T00:00:00Z"])
def test_text_that_is_no_time_is_ignored_with_a_warning(value: str) -> None:
    """It never fails the page with the other jobs."""
    warnings: list[str] = []
    assert seconds({"startedAt": value}, "startedAt", warnings, owner="job 1") is None
    assert warnings == [f"startedAt {value!r} of job 1 is not a time between 2000 and now"]


@pytest.mark.parametrize(
    ("value", "expected"), [(720135, 720135), ("720135", 720135), (5.0, 5), ("0", 0), (None, None)]
)
def test_an_integer_may_be_text(value: object, expected: int | None) -> None:
    """Amazon Q Business returns the counts of sync jobs as text, and may do so for others."""
    assert integer({"units": value}, "units") == expected


@pytest.mark.parametrize(
    "value", [5.5, "5.5", "many", "", True, [], float("nan"), "9" * 5000, -1, "-1", -1.0, 10**400, 1e300, 10**18]
)
def test_what_is_not_an_integer_is_an_error(value: object) -> None:
    """A fraction is not rounded, because it shows that the member has another meaning.

    A gauge cannot have an integer of 400 digits, and a negative count would cause alerts about the size of an index.
    """
    with pytest.raises(ProviderError, match="malformed response: expected int"):
        integer({"units": value}, "units")
