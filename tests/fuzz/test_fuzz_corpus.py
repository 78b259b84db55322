"""What the fuzzer begins with and what it once found: none of it raises. ``make fuzz`` looks for more."""

from collections.abc import Iterator

import pytest

from forms import FORMS, use
from fuzz.targets import CORPUS, TARGETS


@pytest.fixture(params=FORMS, autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    with use(request.param):
        yield


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_of_the_corpus_is_a_defect(name: str) -> None:
    target, seeds = TARGETS[name]
    found = sorted((CORPUS / name).glob("*"))
    for data in (*seeds(), *(path.read_bytes() for path in found)):
        target(data)
        target(data[: len(data) // 2])
