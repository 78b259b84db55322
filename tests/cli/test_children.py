"""What is said of a process that failed: the cause, and no more than a line."""

from unittest.mock import Mock

import pytest

from tickwire.cli.children import cause, metric


def test_the_last_error_is_the_cause() -> None:
    assert cause("... INFO begins\nerror: no such symbol\nstage  count\n") == "no such symbol"


def test_without_an_error_the_last_line_has_to_do_and_no_line_is_endless() -> None:
    assert cause("... INFO begins\n... WARNING no answer\n\n") == "... WARNING no answer"
    assert len(cause("x" * 1000)) <= 201
    assert cause("") == ""


@pytest.mark.parametrize("error", [ConnectionRefusedError, TimeoutError])
def test_a_count_is_0_while_the_process_does_not_answer(error: type[OSError], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.urlopen", Mock(side_effect=error))
    assert metric(1, "feed_events_total") == 0
