"""Each test here starts without settings: an empty folder and no variable of ours."""

import os
from pathlib import Path

import pytest

from tickwire.config import loading


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for variable in list(os.environ):
        if variable.startswith(("KAFKA_", "FEED_", "TICKWIRE_")):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    loading._warn_unknown.cache_clear()
    return tmp_path
