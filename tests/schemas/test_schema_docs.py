"""The pages that are made of the schemas are what the schemas say."""

import pytest

from schemas.pages import DOCS, PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_what_the_schemas_say(page: str) -> None:
    """``PYTHONPATH=tests python -m schemas.pages`` writes them again."""
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page]()
