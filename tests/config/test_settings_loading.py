"""Which source wins, what is warned about, and what a broken source says."""

import logging
import os
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from tickwire.config.foreign import is_foreign
from tickwire.config.loading import Setting, load_feed, load_kafka, origins
from tickwire.errors import InvalidSetting, SettingsError

CANARY = "canary-5e1f"


def write(text: str, name: str = "tickwire.toml") -> None:
    Path(name).write_text(text, encoding="utf-8")


def setting(variable: str) -> Setting:
    return next(each for each in origins() if each.variable == variable)


def warned_names(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.args[0] for record in caplog.records if isinstance(record.args, tuple)]  # type: ignore[misc]


def test_without_sources_all_settings_are_defaults() -> None:
    assert {each.origin for each in origins()} == {"default"}


def test_flags_win_over_environment_over_file_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_kafka().linger_ms == 10
    write("[kafka]\nlinger_ms = 1")
    assert load_kafka().linger_ms == 1
    assert setting("KAFKA_LINGER_MS") == Setting("KAFKA_LINGER_MS", 1, "file tickwire.toml")
    monkeypatch.setenv("KAFKA_LINGER_MS", "2")
    assert load_kafka().linger_ms == 2
    assert setting("KAFKA_LINGER_MS") == Setting("KAFKA_LINGER_MS", 2, "environment KAFKA_LINGER_MS")
    assert load_kafka({"linger_ms": 3}).linger_ms == 3


def test_sources_are_merged_setting_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    write('[feed]\nexchange = "kraken"\nsymbols = ["BTC/USD", "ETH/USD"]\nkraken_ws_url = "ws://127.0.0.1:1"')
    monkeypatch.setenv("FEED_SYMBOLS", "SOL/USD,ADA/USD")
    monkeypatch.setenv("FEED_KRAKEN_REST_URL", "http://127.0.0.1:2")
    config = load_feed({"channels": "ticker"})
    assert (config.exchange, config.symbols, config.channels) == ("kraken", ("SOL/USD", "ADA/USD"), ("ticker",))
    assert (config.ws_url("kraken"), config.rest_url("kraken")) == ("ws://127.0.0.1:1", "http://127.0.0.1:2")
    assert setting("FEED_SYMBOLS").value == "SOL/USD,ADA/USD"
    assert setting("FEED_KRAKEN_WS_URL") == Setting("FEED_KRAKEN_WS_URL", "ws://127.0.0.1:1", "file tickwire.toml")
    assert setting("FEED_KRAKEN_REST_URL").origin == "environment FEED_KRAKEN_REST_URL"


def test_empty_variables_and_absent_flags_count_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[kafka]\nlinger_ms = 1")
    monkeypatch.setenv("KAFKA_LINGER_MS", "")
    monkeypatch.setenv("TICKWIRE_CONFIG", "")
    assert load_kafka({"linger_ms": None}).linger_ms == 1


def test_a_flag_for_no_setting_is_refused_with_the_closest_name() -> None:
    with pytest.raises(SettingsError, match=r"KAFKA_BROKER.*KAFKA_BROKERS"):
        load_kafka({"broker": "a:1"})


@pytest.mark.parametrize("source", ["environment", "file", "command line"])
def test_a_wrong_value_is_refused_with_its_origin(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if source == "environment":
        monkeypatch.setenv("KAFKA_BROKERS", "nowhere")
    if source == "file":
        write('[kafka]\nbrokers = "nowhere"')
    with pytest.raises(InvalidSetting) as caught:
        load_kafka({"brokers": "nowhere"} if source == "command line" else {})
    assert caught.value.origin.startswith(source)
    assert caught.value.value == "'nowhere'"


def test_a_wrong_address_is_refused_with_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_KRAKEN_WS_URL", "nowhere")
    with pytest.raises(InvalidSetting) as caught:
        load_feed()
    assert caught.value.origin == "environment FEED_KRAKEN_WS_URL"


def test_another_settings_file_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[kafka]\nlinger_ms = 1")
    write("[kafka]\nlinger_ms = 7", "other.toml")
    monkeypatch.setenv("TICKWIRE_CONFIG", "other.toml")
    assert load_kafka().linger_ms == 7
    assert setting("TICKWIRE_CONFIG") == Setting("TICKWIRE_CONFIG", "other.toml", "environment TICKWIRE_CONFIG")


def test_a_named_settings_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKWIRE_CONFIG", "missing.toml")
    with pytest.raises(SettingsError, match=r"missing\.toml"):
        load_kafka()


@pytest.mark.parametrize("content", [b"[kafka", b"\xff", b"kafka = 5", b"[kafka]\nlinger_ms = 1\nlinger_ms = 2"])
def test_a_broken_settings_file_is_refused_by_name(content: bytes) -> None:
    Path("tickwire.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"tickwire\.toml"):
        load_kafka()


def test_a_folder_as_settings_file_is_refused() -> None:
    Path("tickwire.toml").mkdir()
    with pytest.raises(SettingsError, match=r"tickwire\.toml"):
        load_feed()


def test_unknown_names_are_warned_about_once_with_the_closest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KAFKA_BROKER", "a:1")
    monkeypatch.setenv("FEED_SYMBOL", "X")
    monkeypatch.setenv("FEED_KRAKEN_WS_URL", "ws://127.0.0.1")
    write('[kafka]\nlinger = 5\n[feeds]\nexchange = "kraken"')
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            load_kafka()
            load_feed()
    assert sorted(warned_names(caplog)) == ["broker", "feeds", "linger", "symbol"]
    closest = {record.args[0]: record.args[2] for record in caplog.records if isinstance(record.args, tuple)}
    assert closest == {
        "broker": "KAFKA_BROKERS",
        "feeds": "[kafka] or [feed] or [log]",
        "linger": "linger_ms",
        "symbol": "FEED_SYMBOLS",
    }


def test_known_names_are_not_warned_about(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for each in origins():
        if each.value is not None:
            monkeypatch.setenv(each.variable, str(each.value) if each.variable != "TICKWIRE_CONFIG" else "")
    load_kafka()
    load_feed()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("content", "secret"),
    [("s3", "s3"), ("s3\n", "s3"), ("s3\r\n", "s3"), ("s3 \n\n", "s3 \n"), ("\ufeffs3", "s3"), ("s\r3\r", "s\r3\r")],
)
def test_a_secret_may_stand_in_a_file(content: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("password").write_bytes(content.encode())
    write('[kafka]\nsasl_username = "u"\nsecurity_protocol = "SASL_SSL"\nsasl_mechanism = "PLAIN"')
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", "password")
    password = load_kafka().sasl_password
    assert password is not None
    assert password.get_secret_value() == secret
    shown = setting("KAFKA_SASL_PASSWORD")
    assert shown == Setting("KAFKA_SASL_PASSWORD", "********", "environment KAFKA_SASL_PASSWORD_FILE")


def test_a_secret_in_the_environment_wins_over_a_file_named_in_the_settings_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(
        '[kafka]\nsasl_username = "u"\nsecurity_protocol = "SASL_SSL"\nsasl_mechanism = "PLAIN"\n'
        'sasl_password_file = "missing"'
    )
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "s3")
    password = load_kafka().sasl_password
    assert password is not None
    assert password.get_secret_value() == "s3"


def test_a_secret_given_twice_in_one_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", CANARY)
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", "password")
    with pytest.raises(SettingsError) as caught:
        load_kafka()
    assert "KAFKA_SASL_PASSWORD is set twice" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_an_unreadable_secret_file_is_refused_by_variable_and_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = str(tmp_path / "missing")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", missing)
    with pytest.raises(InvalidSetting) as caught:
        load_kafka()
    assert caught.value.variable == "KAFKA_SASL_PASSWORD_FILE"
    assert missing in caught.value.value


KEY = f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KAFKA_SASL_PASSWORD_FILE", CANARY),
        ("KAFKA_SSL_KEY_LOCATION", KEY),
        ("KAFKA_SSL_KEY_LOCATION", KEY.replace("\n", " ")),
        ("KAFKA_SSL_KEY_PEM", CANARY),
        ("KAFKA_SASL_OAUTH_TOKEN_ENDPOINT_URL", f"https://id.example.com/token?client_secret={CANARY}"),
        ("KAFKA_BROKERS", f"user:{CANARY}@kafka:9092"),
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_kafka()
    assert variable in str(caught.value)
    assert CANARY not in str(caught.value)


def test_a_file_that_changed_is_read_again_and_one_that_is_away_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("password").write_text("old")
    Path("name").write_text("feed\n")
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("KAFKA_SASL_USERNAME_FILE", "name")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", "password")
    config = load_kafka()
    Path("password").write_text("new\n")
    Path("name").unlink()
    again = config.fresh()
    assert config.sasl_password == SecretStr("old")
    assert (again.sasl_username, again.sasl_password) == ("feed", SecretStr("new"))
    Path("password").write_text("newer")
    assert again.fresh().sasl_password == SecretStr("newer")


def test_a_pipe_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`KAFKA_SASL_PASSWORD_FILE=<(command)` is one; who opens a named one again waits until somebody writes."""
    os.mkfifo("password")
    writing = threading.Thread(target=Path("password").write_text, args=("hush\n",))
    writing.start()
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "feed")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", "password")
    config = load_kafka()
    writing.join()
    found: list[SecretStr | None] = []
    asking = threading.Thread(target=lambda: found.append(config.fresh().sasl_password), daemon=True)
    asking.start()
    asking.join(10)
    assert found == [SecretStr("hush")]


@pytest.mark.parametrize("content", [b"\n", b"\xff" + CANARY.encode()])
def test_a_secret_file_without_text_is_refused_without_showing_it(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("password").write_bytes(content)
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", "password")
    with pytest.raises(InvalidSetting) as caught:
        load_kafka()
    assert caught.value.origin == "environment KAFKA_SASL_PASSWORD_FILE"
    assert CANARY not in str(caught.value)


KUBERNETES = {
    "KAFKA_PORT": "tcp://10.43.0.7:9092",
    "KAFKA_SERVICE_HOST": "10.43.0.7",
    "KAFKA_SERVICE_PORT": "9092",
    "KAFKA_SERVICE_PORT_TCP_CLIENT": "9092",
    "KAFKA_PORT_9092_TCP": "tcp://10.43.0.7:9092",
    "KAFKA_PORT_9092_TCP_ADDR": "10.43.0.7",
    "KAFKA_METRICS_PORT": "tcp://10.43.0.9:9308",
    "KAFKA_METRICS_SERVICE_HOST": "10.43.0.9",
    "FEED_EXCHANGE_PORT_80_TCP_PROTO": "tcp",
}
IMAGES = {
    "KAFKA_HEAP_OPTS": "-Xmx1g",
    "KAFKA_OPTS": "-Dx=y",
    "KAFKA_LOG_DIRS": "/data",
    "KAFKA_CFG_NODE_ID": "1",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://kafka:9092",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_PROCESS_ROLES": "broker",
    "KAFKA_JMX_PORT": "9999",
}


@pytest.mark.parametrize("theirs", [KUBERNETES, IMAGES], ids=["kubernetes", "images"])
def test_what_others_set_under_our_prefix_is_passed_over_in_one_line(
    theirs: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    without = load_kafka(), load_feed()
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    with caplog.at_level(logging.INFO):
        assert (load_kafka(), load_feed()) == without
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == []
    of_kafka = [record for record in caplog.records if isinstance(record.args, tuple) and "KAFKA" in str(record.args)]
    assert len(of_kafka) == 1


def test_none_of_our_names_looks_like_one_of_theirs() -> None:
    for each in origins():
        prefix, _, name = each.variable.partition("_")
        assert prefix == "TICKWIRE" or not is_foreign(f"{prefix}_", name)


def test_the_name_that_kafkas_clients_use_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "a:1,b:2")
    assert load_kafka().brokers == "a:1,b:2"
    assert setting("KAFKA_BROKERS").origin == "environment KAFKA_BOOTSTRAP_SERVERS"
    monkeypatch.setenv("KAFKA_BROKERS", "a:1,b:2")
    assert load_kafka().brokers == "a:1,b:2"
    monkeypatch.setenv("KAFKA_BROKERS", "c:3")
    with pytest.raises(SettingsError, match=r"KAFKA_BROKERS is set twice"):
        load_kafka()


def test_every_list_may_be_a_list_in_the_file() -> None:
    write('[kafka]\nbrokers = ["a:1", "b:2"]\n[feed]\nsymbols = ["BTC-USDT"]\nchannels = ["ticker"]')
    assert (load_kafka().brokers, load_feed().symbols, load_feed().channels) == ("a:1,b:2", ("BTC-USDT",), ("ticker",))


def test_a_whole_variable_in_a_table_gets_the_name_without_its_prefix(caplog: pytest.LogCaptureFixture) -> None:
    write('[feed]\nFEED_EXCHANGE = "kraken"')
    with caplog.at_level(logging.WARNING):
        load_feed()
    assert [record.args[2] for record in caplog.records if isinstance(record.args, tuple)] == ["exchange"]


@pytest.mark.parametrize("variable", ["KAFKA_GROUP_ID", "KAFKA_CLIENT_ID", "KAFKA_SPILL_DIR", "KAFKA_LINGER_MS"])
def test_a_carriage_return_is_shown_and_refused(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "10\r")
    with pytest.raises(InvalidSetting) as caught:
        load_kafka()
    assert (caught.value.variable, caught.value.value) == (variable, "'10\\r'")
    assert caught.value.origin == f"environment {variable}"


def test_a_carriage_return_in_a_secret_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", CANARY + "\r")
    with pytest.raises(InvalidSetting) as caught:
        load_kafka()
    assert "\\r" in caught.value.value
    assert CANARY not in str(caught.value)


def test_a_list_may_be_written_in_lines_but_not_with_carriage_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_SYMBOLS", "BTC-USDT,\n ETH-USDT\n")
    assert load_feed().symbols == ("BTC-USDT", "ETH-USDT")
    monkeypatch.setenv("FEED_SYMBOLS", "BTC-USDT\r,ETH-USDT")
    with pytest.raises(InvalidSetting, match="FEED_SYMBOLS"):
        load_feed()
