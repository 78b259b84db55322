"""Every fault has a test or a reason, and every promise a test that exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROWS = Path(__file__).with_name("ROWS.md").read_text()
DELIVERY = (TESTS.parent / "docs" / "delivery.md").read_text()
DEFINED = {
    name: path
    for path in TESTS.rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
}


def slow(name: str) -> bool:
    """Whether a test runs only with --faults-all, in all its forms."""
    decorators = re.search(
        rf"((?:^@.*\n|^    .*\n|^\)\n|^[\]\)].*\n)*)^(?:async )?def {name}\b", _text(name), re.MULTILINE
    )
    assert decorators is not None
    return "\n@pytest.mark.slow_fault" in "\n" + decorators[1]


def _text(name: str) -> str:
    return DEFINED[name].read_text()


def test_every_row_has_tests_of_its_own_or_says_who_covers_it_or_why_nobody_does() -> None:
    rows = dict(re.findall(r"^\| (\d\d) \| [^|]+ \| ([^|]+) \|$", ROWS, re.MULTILINE))
    assert sorted(rows) == [f"{number:02}" for number in range(1, 38)]
    here = {name[9:11] for name in DEFINED if name.startswith("test_row_")}
    for row, words in rows.items():
        assert words.startswith("here") == (row in here), row
        assert row in here or "`test_" in words or words.startswith("not covered: "), row


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", ROWS + DELIVERY))))
def test_the_tests_that_are_named_exist(name: str) -> None:
    assert name in DEFINED


def test_the_page_says_which_tests_are_slow_and_names_every_row() -> None:
    said = {name: bool(mark) for name, mark in re.findall(r"`(test_row_\w+)`( \(slow\))?", DELIVERY)}
    assert said == {name: slow(name) for name in said}
    assert {name for name in DEFINED if name.startswith("test_row_")} == said.keys()
