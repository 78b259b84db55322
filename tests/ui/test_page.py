"""The page in a real Chromium: it shows what is in Kafka, as text, and goes on after Kafka was away."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from selenium import webdriver
from selenium.webdriver.common.by import By

from brokers import StartApache
from browser_support import cells, chromium, complaints, serve, texts
from consumer_support import config_for, create, read_all, send_events, ticker
from dead_letter_support import WRONG_PRICE, bury, source
from support import eventually
from tickwire.broker import EmbeddedBroker
from tickwire.config.kafka_config import KafkaConfig
from tickwire.events.book import Book
from tickwire.events.types import OrderBook, Ticker
from tickwire.kafka.dead_letters.headers import Failure

HOSTILE = "<img src=x onerror=alert(1)>-\"'&<script>alert(1)</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with chromium() as made:
        yield made


@pytest.fixture
def config(embedded: EmbeddedBroker, unique: str) -> KafkaConfig:
    config = config_for(embedded.bootstrap, unique)
    for topic in config.topics:
        create(config, topic)
    return config


def book(seq: int, bids: list[tuple[str, str]], asks: list[tuple[str, str]], symbol: str = "BTC-USD") -> OrderBook:
    return OrderBook(
        action="snapshot" if seq == 0 else "delta",
        exchange="kraken",
        symbol=symbol,
        exchange_symbol=symbol,
        depth=10,
        bids=bids,
        asks=asks,
        epoch=1,
        book_seq=seq,
        reason="initial" if seq == 0 else None,
        received_us=time.time_ns() // 1000,
    )


def invalid(seq: int, reason: str) -> OrderBook:
    event = book(seq, [], [])
    event.action, event.reason = "invalid", reason
    return event


def now() -> int:
    return time.time_ns() // 1000


def test_the_page_shows_what_is_in_kafka_and_every_name_as_text(
    browser: webdriver.Chrome, config: KafkaConfig, tmp_path: Path
) -> None:
    deltas = [book(seq, [("65000.1", str(seq))], [("65000.30", "0" if seq == 3 else "1.250")]) for seq in range(1, 4)]
    sent: list[Ticker | OrderBook] = [
        book(0, [("65000.1", "1"), ("64999.9", "2.50")], [("65000.30", "3"), ("65001.0", "0.125")]),
        *deltas,
        *(ticker(f"S{number}-USDT", f"{number}.10", now()) for number in range(60)),
        ticker(HOSTILE, "7.25", now()),
    ]
    send_events(config, sent)
    with serve(config, tmp_path / "log") as url:
        browser.get(url)
        eventually(lambda: texts(browser, "#count") == ["62"], "every symbol on the page", 30)
        browser.find_element(By.ID, "filter").send_keys("kraken btc")
        eventually(lambda: cells(browser).keys() == {"kraken|BTC-USD"}, "the filter")
        shown = cells(browser)
        assert shown["kraken|BTC-USD"][:8] == ["kraken", "BTC-USD", "3", "65000.1", "65001.0", "0.125", "0.9", "0.13"]
        assert shown["kraken|BTC-USD"][10] == "valid"

        browser.find_element(By.CSS_SELECTOR, '[data-key="kraken|BTC-USD"]').click()
        levels = eventually(lambda: texts(browser, "#bids .level span"), "the ladder")
        rebuilt = Book()
        for record in read_all(config, config.orderbook_topic):
            assert isinstance(record.event, OrderBook)
            rebuilt.apply(record.event.bids, record.event.asks)
        assert levels == ["3", "3", "65000.1", "5.5", "2.5", "64999.9"]
        assert [price for price, _ in rebuilt.bids.top()] == levels[2::3]
        assert texts(browser, "#asks .level span") == ["65001.0", "0.125", "0.125"]

        send_events(config, [invalid(4, "checksum")])
        (words,) = eventually(lambda: texts(browser, "#words li"), "a sentence")
        assert words.startswith("BTC-USD on kraken is invalid since ")
        assert words.endswith("s: checksum")
        eventually(lambda: texts(browser, "#book-state") == ["checksum"], "the panel of the book")

        name = browser.find_element(By.ID, "filter")
        name.clear()
        name.send_keys("onerror")
        eventually(lambda: cells(browser).keys() == {f"binance|{HOSTILE}"}, "the hostile symbol")
        assert cells(browser)[f"binance|{HOSTILE}"][1] == HOSTILE
        browser.find_element(By.CSS_SELECTOR, "#rows .row").click()
        assert texts(browser, "#book-name") == [f"{HOSTILE} · binance"]
        assert texts(browser, "img, #rows script, #words script") == []
        assert complaints(browser) == []


def test_dead_letters_are_read_filtered_and_sent_again_after_a_confirmation(
    browser: webdriver.Chrome, config: KafkaConfig, tmp_path: Path
) -> None:
    create(config, config.dlq_topic)
    keys = (b"a|B", b"<b>|C", b"a|B")
    theirs = Failure("acme <b>", "acme.Error", "of another program", 1)
    bury(config, [source(config, n, b'{"n":%d}' % n, key) for n, key in enumerate(keys)], WRONG_PRICE, theirs)
    with serve(config, tmp_path / "log", "--allow-replay") as url:
        browser.get(url)
        browser.find_element(By.CSS_SELECTOR, "[data-panel=letters]").click()
        shown = "#letters-list td:nth-child(5)"
        eventually(lambda: texts(browser, shown) == ["a|B", "<b>|C", "a|B"], "all dead letters")
        offered = [option.get_attribute("value") for option in browser.find_elements(By.CSS_SELECTOR, "option")]
        assert offered == ["deserialize", "schema", "validate", "process", theirs.error_type]
        browser.find_element(By.NAME, "error_type").send_keys(theirs.error_type)
        browser.find_element(By.CSS_SELECTOR, "#letters-form [type=submit]").click()
        eventually(lambda: texts(browser, shown) == ["<b>|C"], "the filter")
        browser.find_element(By.CSS_SELECTOR, "#letters-list tbody tr").click()
        assert 'value: {"n":1}' in texts(browser, "#letter")[0].splitlines()

        replay = browser.find_element(By.ID, "replay")
        eventually(replay.is_displayed, "the button")
        replay.click()
        send = browser.find_element(By.ID, "confirm-send")
        eventually(send.is_displayed, "the question")
        assert not send.is_enabled()
        assert read_all(config, config.ticker_topic) == []
        browser.find_element(By.ID, "confirm-typed").send_keys(config.dlq_topic)
        eventually(send.is_enabled, "the name of the topic")
        send.click()
        eventually(lambda: texts(browser, "#letters-words") == [f"Sent 1 to {config.ticker_topic}."], "the replay", 30)
        assert [record.value for record in read_all(config, config.ticker_topic)] == [b'{"n":1}']
        assert complaints(browser) == []


@pytest.mark.kafka
def test_the_page_says_that_kafka_is_away_and_goes_on_when_it_is_back(
    browser: webdriver.Chrome, start_apache: StartApache, unique: str, tmp_path: Path
) -> None:
    cluster = start_apache()
    config = config_for(cluster.bootstrap, unique)
    create(config, config.ticker_topic)
    with serve(config, tmp_path / "log") as url:
        browser.get(url)
        send_events(config, [ticker(bid="1.5", received_us=now())])
        eventually(lambda: cells(browser).get("binance|BTC-USDT", [""] * 4)[3] == "1.5", "the first price", 30)
        consumer = Consumer({"bootstrap.servers": config.brokers, "group.id": "storage"})
        consumer.commit(offsets=[TopicPartition(config.ticker_topic, 0, 0)], asynchronous=False)
        consumer.close()
        row = ["storage", "empty", "1", f"{config.ticker_topic} 1"]
        eventually(lambda: texts(browser, "#groups td") == row, "how far the group is behind")
        cluster.kill(1)
        away = eventually(lambda: texts(browser, "#words li"), "that Kafka is away", 60)
        assert away[0].startswith("Kafka does not answer since ")
        cluster.restart(1)
        send_events(config, [ticker(bid="1.75", received_us=now())])
        eventually(lambda: cells(browser)["binance|BTC-USDT"][3] == "1.75", "the next price", 60)
        eventually(lambda: texts(browser, "#words li") == [], "that Kafka is back", 60)


def test_the_page_comes_back_when_its_server_was_started_again(
    browser: webdriver.Chrome, config: KafkaConfig, tmp_path: Path
) -> None:
    send_events(config, [ticker(bid="1.5", received_us=now())])
    with serve(config, tmp_path / "first") as url:
        browser.get(url)
        eventually(lambda: texts(browser, "#count") == ["1"], "the page", 30)
    eventually(lambda: texts(browser, "#link") == ["page server away"], "that the server is away")
    send_events(config, [ticker("ETH-USDT", "2.5", now())])
    with serve(config, tmp_path / "second", "--port", url.rstrip("/").rpartition(":")[2]):
        eventually(lambda: cells(browser).keys() == {"binance|BTC-USDT", "binance|ETH-USDT"}, "both symbols", 40)
