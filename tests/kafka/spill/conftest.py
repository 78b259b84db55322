"""What several tests of the spill start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kafka.spill.spill_support import fast_folder


@pytest.fixture
def root() -> Iterator[Path]:
    with fast_folder() as folder:
        yield folder
