"""Output is safe for terminals, and flags become settings."""

import codecs
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.cli.common import UnwritableFile, check_writable, json_escapes, printable, split_settings
from tickwire.errors import UsageError


@given(st.text())
def test_nothing_printable_can_steer_a_terminal(text: str) -> None:
    assert all(c.isprintable() for c in printable(text))


def test_printable_keeps_ordinary_text_and_shows_escapes() -> None:
    assert printable("Ünïcode 1\x1b[2J\u202e\n") == "Ünïcode 1\\x1b[2J\\u202e\\n"


def test_settings_are_sorted_by_their_prefix() -> None:
    kafka, feed = split_settings(["KAFKA_LINGER_MS=5", "FEED_SYMBOLS=A,B", "KAFKA_BROKERS=h:1=2"])
    assert kafka == {"linger_ms": "5", "brokers": "h:1=2"}
    assert feed == {"symbols": "A,B"}


@pytest.mark.parametrize("pair", ["", "KAFKA_LINGER_MS", "LINGER_MS=5", "KAFKA_=5", "kafka_linger_ms=5"])
def test_another_form_of_setting_is_refused(pair: str) -> None:
    with pytest.raises(UsageError):
        split_settings([pair])


def test_a_secret_is_refused_as_an_argument_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        split_settings(["KAFKA_SASL_PASSWORD=canary"])
    assert "KAFKA_SASL_PASSWORD_FILE" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_an_unwritable_report_is_named_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(UnwritableFile) as caught:
        check_writable(tmp_path / "missing" / "report.json", "--report")
    assert "missing" in str(caught.value)
    assert caught.value.exit_code == 1


@given(st.text(), st.sampled_from(["ascii", "latin-1", "cp1252", "utf-8"]))
def test_what_an_encoding_lacks_is_written_so_that_json_stays_json(text: str, encoding: str) -> None:
    codecs.register_error("tickwire", json_escapes)
    line = json.dumps(text, ensure_ascii=False)
    assert json.loads(line.encode(encoding, "tickwire").decode(encoding)) == text
