"""What is logged: as much as was asked for, in the form that was asked for, and of libraries only what matters."""

import json
import logging
from collections.abc import Iterator

import pytest

from tickwire.cli.logs import say_error, start_logging
from tickwire.config.log_config import LogConfig
from tickwire.errors import UsageError

LEVELS = ("debug", "info", "warning", "error")


@pytest.fixture(autouse=True)
def _quiet_library() -> Iterator[None]:
    yield
    logging.getLogger("picows").setLevel(logging.NOTSET)


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("level", LEVELS)
def test_the_level_says_what_is_logged_at_least(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(LogConfig(level=level))
    for each in LEVELS:
        getattr(logging.getLogger("tickwire.x"), each)("%s", each)
    assert [line.rpartition(" ")[2] for line in lines_of(capsys)] == list(LEVELS[LEVELS.index(level) :])


def test_the_inside_of_libraries_is_for_debug_and_a_handler_of_the_users_is_heard(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_logging(LogConfig())
    logging.getLogger("picows").info("inside")
    logging.getLogger("my_handlers").info("mine")
    assert len(lines_of(capsys)) == 1
    start_logging(LogConfig(level="debug"))
    logging.getLogger("picows").info("inside")
    assert len(lines_of(capsys)) == 1


def test_json_lines_have_time_level_logger_worker_message_and_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(LogConfig(format="json"), "2-of-4")
    try:
        int("币\n")
    except ValueError:
        logging.getLogger("tickwire.x").exception("%s failed\n", "all")
    [line] = map(json.loads, lines_of(capsys))
    assert line.pop("time").endswith("+00:00")
    assert "ValueError" in line.pop("traceback")
    assert line == {"level": "error", "logger": "tickwire.x", "worker": "2-of-4", "message": "all failed\n"}


def test_the_last_sentence_has_the_form_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging(LogConfig(format="json"))
    say_error(UsageError("wrong"))
    start_logging(LogConfig())
    say_error(UsageError("wrong\x1b"))
    as_json, as_text = lines_of(capsys)
    assert json.loads(as_json)["message"] == "wrong"
    assert as_text == "error: wrong\\x1b"
