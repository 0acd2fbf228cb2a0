"""The benchmarks write their results into their own sections of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.report import table, write_rows, write_section

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (
    "# Benchmarks\n\nBefore.\n\n<!-- a: begin -->\nold\n<!-- a: end -->\n\n<!-- b: begin -->\nkept\n<!-- b: end -->\n"
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Return a page with two sections."""
    page = tmp_path / "README.md"
    page.write_text(TEXT)
    return page


def test_only_the_section_is_replaced(page: Path) -> None:
    """A second run replaces the results of the first."""
    write_section("a", "first", page)
    write_section("a", table(("size", "time"), [("1", "2 ms")]), page)
    expected = "<!-- a: begin -->\n\n| size | time |\n| --- | --- |\n| 1 | 2 ms |\n\n<!-- a: end -->"
    assert page.read_text() == TEXT.replace("<!-- a: begin -->\nold\n<!-- a: end -->", expected)


def test_a_measured_row_replaces_the_one_of_the_same_case(page: Path) -> None:
    """The others stay, including one whose last cell is empty, and a new row has its place."""
    columns = ("size", "poller", "delay", "note")
    write_section("a", table(columns, [("1", "x", "9 s", "old"), ("3", "x", "8 s", "")]), page)
    write_rows("a", columns, [["2", "x", "7 s", "new"], ["1", "x", "6 s", "new"]], lambda row: row[0], page)
    merged = [("1", "x", "6 s", "new"), ("2", "x", "7 s", "new"), ("3", "x", "8 s", "")]
    assert f"begin -->\n\n{table(columns, merged)}\n\n<!--" in page.read_text()


@pytest.mark.parametrize("text", ["", "<!-- a: begin -->\n", "<!-- a: end -->\n<!-- a: begin -->\n", TEXT + TEXT])
def test_a_page_without_the_section_is_refused(page: Path, text: str) -> None:
    """The page stays as it is."""
    page.write_text(text)
    with pytest.raises(ValueError, match="section a"):
        write_section("a", "new", page)
    assert page.read_text() == text
