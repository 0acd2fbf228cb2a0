"""Only codes that AWS documents are found; words of the customer that look similar are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.connector_codes import PREFIXES, connector_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SPE-5200", "SPE-5200"),
        ("[SPE-5101] Access was denied", "SPE-5101"),
        ("could not connect to https://example.sharepoint.com/sites/HR-2024. SPE-5200", "SPE-5200"),
        ("Could not read issue OPS-1042 of the project: JIRA-5200", "JIRA-5200"),
        ("gcal-5001", "GCAL-5001"),
        ("first SF-5100, then SF-5101", "SF-5100"),
        ("A document is in the encoding ISO-8859-1, which is not supported.", ""),
        ("issue OPS-5042", ""),
        ("SPE-4001", ""),
        ("SPE-50010", ""),
        ("SPE-5001-A", ""),
        ("MY-SPE-5001", ""),
        ("XSPE-5001", ""),
        ("SPE-\uff15001", ""),
        ("\u017fPE-5001", ""),
        ("", ""),
    ],
)
def test_a_code_is_a_documented_prefix_with_a_number_from_5000(text: str, code: str) -> None:
    """Issue keys, sites and encodings are not codes, and a code is in upper case."""
    assert connector_code(text) == code


def test_the_first_text_with_a_code_has_precedence() -> None:
    """Texts without a code are passed over."""
    assert connector_code("S3.AccessDenied", "SPE-5001", "CNF-5501") == "SPE-5001"
    assert connector_code() == ""


@given(st.text(), st.sampled_from(sorted(PREFIXES)), st.integers(5000, 5999))
def test_every_documented_code_is_found_in_any_message(message: str, prefix: str, number: int) -> None:
    """It is found wherever spaces separate it from the message."""
    code = f"{prefix}-{number}"
    assert connector_code(f"{code.lower()} {message}") == code
