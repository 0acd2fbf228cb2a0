"""Hooks on requests: recorded attempts, AWS's clock, and responses that botocore would misread."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.aws.hooks import check_response
from exporter.errors import ProviderError, Reason
from exporter.runtime import AwsClock
from tests.support.builders import NOON, FakeClock
from tests.support.service_model import MODEL

if TYPE_CHECKING:
    from tests.support.simulated_target import SimulatedTarget


LIST_JOBS, GET_INDEX = MODEL.operation_model("ListDataSourceSyncJobs"), MODEL.operation_model("GetIndex")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("kind", ["throttled", "server_error", "reset", "hang"])
def test_retries_of_the_sdk_are_recorded(target: SimulatedTarget, kind: str) -> None:
    """A request has three attempts, and each is recorded with its code."""
    target.service.faults.add(kind, times=2)
    assert len(target.read_jobs()) == 25
    assert len(target.observer.codes) == 5
    assert target.observer.codes[2:] == ["200"] * 3
    assert target.observer.codes[0] == target.observer.codes[1] != "200"


@pytest.mark.parametrize("kind", ["html", "server_error_html"])
def test_a_successful_response_that_is_not_from_aws_is_recorded_as_unusable(target: SimulatedTarget, kind: str) -> None:
    """An error has a code that shows whether AWS sent it. The page of a login portal has status 200."""
    target.service.faults.add(kind)
    with suppress(ProviderError):
        target.read_jobs()
    assert (target.observer.codes[0], target.observer.unusable) == (("200", 1) if kind == "html" else ("503", 0))


def test_a_client_that_bypasses_the_hooks_raises(target: SimulatedTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers under another name than the client's are never called: no request would be counted or limited."""
    monkeypatch.setattr("exporter.aws.hooks._event_name", lambda _client: "another-service")
    with pytest.raises(AssertionError, match="response to ListDataSourceSyncJobs did not pass the request hooks"):
        target.read_jobs()


def test_the_clock_is_set_by_responses(target: SimulatedTarget) -> None:
    """The clock of the service may differ from the host's by any amount."""
    target.read_jobs()
    assert target.aws_client.clock.now() == pytest.approx(NOON, abs=5)
    target.clock.advance(86400.0)
    target.read_jobs()
    assert target.aws_client.clock.now() == pytest.approx(NOON + 86400.0, abs=5)


def test_a_response_without_a_date_does_not_change_the_clock(target: SimulatedTarget) -> None:
    """The page has the time of the clock that earlier responses set."""
    target.read_jobs()
    target.service.faults.add("no_date")
    page = next(target.provider.sync_jobs(target.id))
    assert page.as_of == pytest.approx(NOON, abs=5)


def test_the_clock_is_that_of_the_host_until_the_first_response(clock: FakeClock) -> None:
    """After a Date header it advances with the monotonic clock."""
    aws_clock = AwsClock(clock)
    assert aws_clock.now() == clock.time()
    assert aws_clock.update("Mon, 21 Sep 2026 14:13:20 GMT") == NOON
    clock.advance(10.0)
    clock.wall = 0.0
    assert aws_clock.now() == NOON + 10.0


@given(st.text(max_size=40))
def test_a_header_that_is_not_a_date_is_ignored(text: str) -> None:
    """No text raises an exception, and the clock keeps running."""
    clock = FakeClock()
    aws_clock = AwsClock(clock)
    aws_clock.update("Mon, 21 Sep 2026 14:13:20 GMT")
    if aws_clock.update(text) == NOON:
        assert aws_clock.now() == NOON


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"history": [', "not JSON (Expecting value: line 1 column 14 (char 13)), 13 bytes, starting with b'{\"hist"),
        (b"", "not JSON (Expecting value: line 1 column 1 (char 0)), 0 bytes, starting with b''"),
        (b"[" * 100_000, "not JSON ("),
        (b"[]", "expected an object, got list"),
        (b"null", "expected an object, got null"),
        (b"{}", "expected a list in `history`, got no such key"),
        (b'{"history": null}', "expected a list in `history`, got null"),
        (b'{"history": {}}', "expected a list in `history`, got dict"),
    ],
)
def test_a_malformed_response_is_an_error(body: bytes, message: str) -> None:
    """The message states what was expected and what the response has."""
    with pytest.raises(ProviderError) as error:
        check_response(LIST_JOBS, body)
    assert (error.value.reason, error.value.code) == (Reason.MALFORMED_RESPONSE, "MalformedResponse")
    assert str(error.value).startswith(f"ListDataSourceSyncJobs: malformed response: {message}")


@given(JSON)
def test_every_object_with_the_list_is_accepted_and_nothing_else(value: object) -> None:
    """A response without its list is never mistaken for an empty listing."""
    is_valid = isinstance(value, dict) and isinstance(value.get("history"), list)
    try:
        check_response(LIST_JOBS, json.dumps(value).encode())
    except ProviderError:
        assert not is_valid
    else:
        assert is_valid


def test_the_message_about_a_get_operation_quotes_nothing(target: SimulatedTarget) -> None:
    """Responses of Get operations may contain host names and secrets."""
    secret = b'{"configuration": {"password": "x"'
    with pytest.raises(ProviderError) as error:
        check_response(GET_INDEX, secret)
    assert "configuration" not in str(error.value)
    target.service.faults.add("truncated_json")
    with pytest.raises(ProviderError) as error:
        target.provider.data_source(target.id)
    assert "starting with" not in str(error.value)
    with pytest.raises(ProviderError, match="starting with"):
        target.read_jobs()
