"""``tickwire config show`` shows every setting and no secret."""

import json

import pytest
from typer.testing import CliRunner

from tickwire.cli import config
from tickwire.config.loading import origins
from tickwire.errors import SettingsError

CANARY = "canary-5e1f"


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "[bold]u\u202e\u2028")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", CANARY)


def show(*arguments: str) -> str:
    result = CliRunner().invoke(config.app, ["show", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    assert CANARY not in result.output
    return result.output


def test_plain_lines_have_every_setting_with_value_and_origin(login: None) -> None:
    lines = [line.split("\t") for line in show().splitlines()]
    assert [line[0] for line in lines] == [each.variable for each in origins()]
    assert ["KAFKA_ENABLED", "false", "default"] in lines
    assert ["KAFKA_SSL_CA_LOCATION", "-", "default"] in lines
    assert ["KAFKA_SASL_PASSWORD", "********", "environment KAFKA_SASL_PASSWORD"] in lines
    assert ["KAFKA_SASL_USERNAME", r"[bold]u\u202e\u2028", "environment KAFKA_SASL_USERNAME"] in lines


def test_json_keeps_types(login: None) -> None:
    settings = {each["variable"]: each for each in json.loads(show("--json"))}
    assert settings["KAFKA_LINGER_MS"] == {"variable": "KAFKA_LINGER_MS", "value": 10, "origin": "default"}
    assert settings["KAFKA_ENABLED"]["value"] is False
    assert settings["KAFKA_SSL_CA_LOCATION"]["value"] is None
    assert settings["KAFKA_SASL_PASSWORD"]["value"] == "********"
    assert settings["FEED_CHANNELS"]["value"] == "ticker,orderbook"


def test_a_terminal_gets_a_table_without_markup_or_escapes(login: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "140")
    output = show()
    assert r"[bold]u\u202e\u2028" in output
    assert "\u202e" not in output
    assert all(each.variable in output for each in origins())


def test_wrong_settings_are_the_usual_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BROKERS", "nowhere")
    with pytest.raises(SettingsError):
        CliRunner().invoke(config.app, ["show"], catch_exceptions=False)
