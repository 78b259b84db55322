"""``docs/settings.md`` and the code say the same."""

import re
from pathlib import Path

from tickwire.config.base import Settings
from tickwire.config.feed_config import FeedConfig
from tickwire.config.kafka_config import KafkaConfig
from tickwire.config.loading import load_feed, load_feeds, load_kafka, load_log
from tickwire.config.log_config import LogConfig

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([A-Z_<>]+)` \| (.*?) \| (.*) \|$", re.MULTILINE)


def documented(prefix: str) -> dict[str, tuple[str, str]]:
    return {
        name: (default.strip().strip("`"), text) for name, default, text in ROW.findall(PAGE) if name.startswith(prefix)
    }


def written(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else str(default)


def in_code(model: type[Settings]) -> dict[str, tuple[str, str]]:
    rows: dict[str, tuple[str, str]] = {}
    for name, field in model.model_fields.items():
        if name != "urls":
            rows[model.variable(name)] = (written(field.default), field.description or "")
        if name in model.in_files():
            rows[model.variable(name) + "_FILE"] = ("", f"File that holds `{model.variable(name)}`.")
    return rows


def test_every_kafka_setting_is_documented_as_it_is_in_the_code() -> None:
    assert documented("KAFKA_") == in_code(KafkaConfig)


def test_every_feed_setting_is_documented_as_it_is_in_the_code() -> None:
    page = documented("FEED_")
    addresses = {name for name in page if "<EXCHANGE>" in name}
    assert addresses == {"FEED_<EXCHANGE>_WS_URL", "FEED_<EXCHANGE>_REST_URL"}
    assert {name: row for name, row in page.items() if name not in addresses} == in_code(FeedConfig)


def test_every_log_setting_is_documented_as_it_is_in_the_code() -> None:
    assert documented("TICKWIRE_LOG_") == in_code(LogConfig)


def test_the_settings_files_on_the_page_are_valid(no_settings: Path) -> None:
    one, several = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (no_settings / "password").write_text("s3")
    (no_settings / "tickwire.toml").write_text(one.replace("/run/secrets/kafka-password", "password"))
    assert load_kafka().sasl_mechanism == "SCRAM-SHA-512"
    assert load_feed().ws_url("kraken") == "ws://127.0.0.1:8765"
    assert load_log().format == "json"
    (no_settings / "tickwire.toml").write_text(several)
    assert [(feed.exchange, feed.orderbook_depth) for feed in load_feeds()] == [("binance", 100), ("kraken", 25)]
