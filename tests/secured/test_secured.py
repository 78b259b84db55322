"""The ways in and out of a secured Kafka: what works, and what is said where something is wrong."""

import asyncio
import shutil
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from faults.programs import Exchange, Program
from kafka.publishing import book, metric, numbers_of, running, sums_agree, ticker, trade
from secured.cluster import KEY_PASSWORD, PASSWORD, Secured
from secured.users import a_user, grant, names
from secured.ways import RIGHT, WRONG
from support import aeventually, eventually, free_port
from tickwire.cli.main import main
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed
from tickwire.kafka.admin.check import check, healthy
from tickwire.kafka.admin.topics import ensure_topics
from tickwire.kafka.clients import connect_check
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.positions import Start
from tickwire.kafka.dead_letters.reader import read_oldest
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.publisher import Publisher
from tickwire.kafka.sharing.member import Member, prepare, topic_of
from tickwire.kafka.sharing.membership import Membership

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("name", RIGHT)
def test_right_credentials_are_let_in(name: str, secured: Secured) -> None:
    listener, values = RIGHT[name]
    assert len(connect_check(secured.config(listener, **values(secured))).nodes) == 1


@pytest.mark.parametrize("name", WRONG)
def test_the_true_cause_is_named_and_not_waited_for(name: str, secured: Secured) -> None:
    listener, values, words = WRONG[name]
    start = time.monotonic()
    with pytest.raises(KafkaFailed, match=f"(?s){words}") as caught:
        connect_check(secured.config(listener, **values(secured)), 60.0)
    assert time.monotonic() - start < 20
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(("mode", "words"), [("500", "answers 500"), ("html", "JSON"), ("odd", "access_token")])
def test_a_broken_token_endpoint_is_named(mode: str, words: str, secured: Secured) -> None:
    secured.endpoint.mode = mode
    try:
        with pytest.raises(KafkaFailed, match=rf"There is no OAUTHBEARER token from \S+/token .*{words}"):
            connect_check(secured.config("OAUTH"), 60.0)
    finally:
        secured.endpoint.mode = "ok"


async def test_a_token_endpoint_that_fails_is_the_cause_of_an_outage_though_the_client_says_nothing(
    secured: Secured, unique: str
) -> None:
    secured.topics(*names(unique).values())
    async with running(secured.config("OAUTH", **names(unique)), NullFlow()) as publisher:
        secured.endpoint.mode = "500"
        try:
            publisher._link.open()  # as if its token had ended
            publisher.publish(ticker(0))
            await aeventually(lambda: "answers 500" in publisher._watch.cause, "the cause is known")
        finally:
            secured.endpoint.mode = "ok"
            await publisher.close(0.1)


def test_a_slow_token_is_waited_for(secured: Secured) -> None:
    secured.endpoint.delay_s = 2.5
    try:
        assert connect_check(secured.config("OAUTH")).nodes
    finally:
        secured.endpoint.delay_s = 0.0


@pytest.mark.parametrize(
    ("listener", "there", "words"),
    [
        ("ELSEWHERE", False, "The certificate of Kafka at 127.0.0.1:.* is for another host .*advertised.listeners"),
        ("ELSEWHERE", True, "The certificate of Kafka at 127.0.0.1:.* is for another host .*advertised.listeners"),
        ("NOWHERE", False, r"Nothing answers as Kafka at localhost:1 .*refused.*advertised\.listeners"),
    ],
)
def test_a_broker_that_is_not_where_it_says_is_named_by_that_address(
    listener: str, there: bool, words: str, secured: Secured, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if listener == "NOWHERE":  # which is waited for, as a broker that is starting
        monkeypatch.setattr("tickwire.kafka.admin.topics._REQUEST_S", 3.0)
    config = secured.config(listener, **names(unique))
    if there:
        secured.topics(*config.topics)
    with pytest.raises(KafkaFailed, match=words):
        ensure_topics(config, config.topics)


def findings(config: KafkaConfig, written: Sequence[str] | None = None) -> list[str]:
    found = list(check(config, 8.0, written))
    assert healthy(found) == all(finding.ok for finding in found)
    return [f"{finding.state} {finding.text}" for finding in found if finding.step == "rights"]


def test_a_user_without_rights_is_not_ready(secured: Secured, unique: str) -> None:
    config = secured.config(**a_user(secured, unique))
    lines = findings(config)
    assert all(line.startswith("FAILED") for line in lines)
    assert f"tickwire produce: the user {unique} lacks WRITE on the topic ticker.{unique}" in lines[0]
    assert f"READ on the group {unique}" in lines[1]


def test_a_user_is_ready_who_may_do_what_one_command_needs(secured: Secured, unique: str) -> None:
    config = secured.config(**a_user(secured, unique, ticker_topic=("WRITE",)))
    lines = findings(config, [config.ticker_topic])
    assert [line.partition(":")[0] for line in lines] == ["ok tickwire produce", "hint tickwire consume"]
    lines = findings(config)
    assert [line.partition(":")[0] for line in lines] == ["FAILED tickwire produce", "FAILED tickwire consume"]


def serving(config: KafkaConfig, *kinds: str) -> Publisher:
    publisher = Publisher(config)
    publisher.place.serve("binance", kinds, ["BTC-USDT"], ["BTC-USDT"], names=False)
    return publisher


def test_a_user_who_may_write_only_tickers_publishes_tickers(secured: Secured, unique: str) -> None:
    config = secured.config(**a_user(secured, unique, ticker_topic=("WRITE",)))
    publisher = serving(config, "ticker")
    publisher.open()
    publisher.abandon()
    with pytest.raises(KafkaFailed, match=rf"orderbook\.{unique}.*grant CREATE"):
        serving(config, "ticker", "orderbook").open()
    grant(secured, unique, "topic", config.orderbook_topic, "READ")
    with pytest.raises(KafkaFailed, match=rf"the user {unique} lacks WRITE on the topic orderbook\.{unique}:"):
        serving(config, "ticker", "orderbook").open()


@pytest.mark.parametrize("everything", [False, True])
async def test_a_right_that_is_taken_away_and_given_back_costs_no_record_and_no_order(
    everything: bool, secured: Secured, unique: str
) -> None:
    config = secured.config(**a_user(secured, unique, **dict.fromkeys(names(unique), ("WRITE",))))
    taken = [config.orderbook_topic, config.trades_topic] + [config.ticker_topic] * everything
    async with running(config, NullFlow()) as publisher:
        publisher.publish(book("snapshot", 0))
        publisher.publish(ticker(0))
        await aeventually(lambda: publisher._link.busy == 0, "acknowledged")
        for topic in taken:
            secured.forbid(unique, "topic", topic, "WRITE")
        for number in range(1, 60):
            publisher.publish(book("delta", number))
            publisher.publish(trade(number))
            publisher.publish(ticker(number))
            await asyncio.sleep(0.005)
        await aeventually(lambda: publisher._link.denied.topics >= {config.orderbook_topic}, "denied")
        accounts = publisher.accounting()
        assert accounts[config.orderbook_topic].failed == accounts[config.orderbook_topic].dropped == 0
        for topic in taken:
            secured.allow(unique, "topic", topic, "WRITE")
        for number in range(60, 70):
            publisher.publish(book("delta", number))
            publisher.publish(trade(number))
        await aeventually(lambda: not publisher._can_deliver(), "all is delivered")
        await publisher.close(5)
    assert sums_agree(publisher)
    accounts = publisher.accounting()
    assert [accounts[topic].acknowledged for topic in (config.orderbook_topic, config.trades_topic)] == [70, 69]
    readable = config.model_copy(update={"brokers": secured.node.bootstrap})  # where everybody may read
    found = numbers_of(readable, config.orderbook_topic)["BTC-USDT"]
    assert list(dict.fromkeys(found)) == list(range(70)), "in order; what was on its way may be there twice"


async def test_what_may_not_be_written_any_more_waits_on_disk_at_the_end(secured: Secured, unique: str) -> None:
    config = secured.config(**a_user(secured, unique, **dict.fromkeys(names(unique), ("WRITE",))))
    async with running(config, NullFlow()) as publisher:
        publisher.publish(book("snapshot", 0))
        await aeventually(lambda: publisher._link.busy == 0, "acknowledged")
        secured.forbid(unique, "topic", config.orderbook_topic, "WRITE")
        publisher.publish(book("delta", 1))
        await aeventually(lambda: config.orderbook_topic in publisher._link.denied, "denied")
        publisher.publish(book("delta", 2))
        assert await publisher.close(0.5) == 0
    account = publisher.accounting()[config.orderbook_topic]
    assert (account.acknowledged, account.spilled, account.failed) == (1, 2, 0)


def test_a_consumer_is_told_at_its_start_what_it_lacks(secured: Secured, unique: str) -> None:
    config = secured.config(**a_user(secured, unique, ticker_topic=("READ",)))
    with pytest.raises(KafkaFailed, match=rf"the user {unique} lacks READ on the group {unique}:"):
        run_kafka_consumer(config, topics=[config.ticker_topic], max_records=1)


def test_a_member_of_a_group_is_told_at_its_start_what_it_lacks(secured: Secured, unique: str) -> None:
    config, topic = secured.config(**a_user(secured, unique)), topic_of(unique)
    with pytest.raises(KafkaFailed, match=rf"let the user {unique} create the topic {topic} .*: grant CREATE on it"):
        prepare(config, unique)
    secured.topics(topic)
    grant(secured, unique, "topic", topic, "READ")
    with pytest.raises(KafkaFailed, match=rf"the user {unique} lacks READ on the group {topic}: grant that"):
        prepare(config, unique)
    grant(secured, unique, "group", topic, "READ")
    assert prepare(config, unique) == 2


def test_a_member_of_a_group_whose_rights_are_taken_away_waits_for_them(secured: Secured, unique: str) -> None:
    config, topic = secured.config(**a_user(secured, unique)), topic_of(unique)
    secured.topics(topic)
    for kind in ("topic", "group"):
        grant(secured, unique, kind, topic, "READ")
    ours, served = Membership(), Mock(outage=lambda: False, floor=lambda: 0, marks=str)
    member = Member(config, unique, "one", 2, ours, served)
    member.start()
    eventually(lambda: ours.parts == {0, 1} and ours.sure(time.monotonic()), "it has all")
    for kind in ("topic", "group"):
        secured.forbid(unique, kind, topic, "READ")
    eventually(lambda: not ours.parts, "it gave all up")
    for kind in ("topic", "group"):
        secured.allow(unique, kind, topic, "READ")
    eventually(lambda: ours.parts == {0, 1} and ours.sure(time.monotonic()), "it has all again")
    member.leave()
    served.failed.assert_not_called()


def test_dead_letters_need_no_group_of_their_own(secured: Secured, unique: str) -> None:
    config = secured.config(**a_user(secured, unique, ticker_topic=("READ",)))
    grant(secured, unique, "group", unique, "READ")
    assert read_oldest(config, config.ticker_topic, 1).complete
    wrong = secured.config(sasl_password="wrong")
    with pytest.raises(KafkaFailed, match="refused the login of feed"):
        read_oldest(wrong, config.ticker_topic, 1)


def in_a_file(config: KafkaConfig, path: Path) -> KafkaConfig:
    """The same settings with the password in a file, as `KAFKA_SASL_PASSWORD_FILE` has it."""
    path.write_text(PASSWORD)
    config.remember({"sasl_password": path})
    return config


async def test_a_password_that_is_changed_in_its_file_too_needs_no_restart(
    secured: Secured, unique: str, tmp_path: Path
) -> None:
    rights = dict.fromkeys(names(unique), ("READ", "WRITE"))
    config = in_a_file(secured.config(**a_user(secured, unique, **rights)), tmp_path / "password")
    grant(secured, unique, "group", unique, "READ")
    read: list[bytes] = []
    ended = threading.Event()
    topics = [config.orderbook_topic]
    reading = asyncio.create_task(asyncio.to_thread(
        run_kafka_consumer, config, topics=topics, start=Start("beginning"), handler=lambda r: read.append(r.key),
        stopping=ended.is_set,
    ))  # fmt: skip
    async with running(config, NullFlow()) as publisher:
        publisher.publish(book("snapshot", 0))
        await aeventually(lambda: len(read) == 1, "read")
        secured.password(unique, "CANARY-another")
        refused = metric("kafka_producer_recreated_total", reason="REFUSED_LOGIN") or 0
        number = 1

        def locked_out() -> bool:
            nonlocal number
            publisher.publish(book("delta", number))
            number += 1
            return (metric("kafka_producer_recreated_total", reason="REFUSED_LOGIN") or 0) > refused

        await aeventually(locked_out, "the producer is refused when it has to log in again (after 3 s)")
        (tmp_path / "password").write_text("CANARY-another\n")
        await aeventually(lambda: publisher._link.busy == 0, "all is acknowledged")
        await aeventually(lambda: len(read) >= number, "the consumer reads on")
        assert await publisher.close(5) == 0
    ended.set()
    await reading
    assert publisher.accounting()[config.orderbook_topic].acknowledged == number


async def test_a_certificate_that_is_renewed_in_place_needs_no_restart(
    secured: Secured, unique: str, tmp_path: Path
) -> None:
    file = tmp_path / "client.pem"
    shutil.copy(secured.folder / "ours" / "late.pem", file)
    secured.topics(*names(unique).values())
    config = secured.config("MTLS", ssl_certificate_location=file, ssl_key_location=file, **names(unique))
    publisher = Publisher(config, offline_start=True)
    await asyncio.to_thread(publisher.open)
    publisher._link.open()  # as if the certificate had expired while it ran
    publisher.start(asyncio.get_running_loop())
    publisher.publish(book("snapshot", 0))
    await aeventually(lambda: publisher._link._readmission.doubtful, "refused")
    shutil.copy(secured.folder / "ours" / "feed.pem", file)
    await aeventually(lambda: publisher._link.busy == 0, "all is acknowledged")
    assert await publisher.close(5) == 0
    assert publisher.accounting()[config.orderbook_topic].acknowledged == 1


async def test_a_start_without_kafka_gets_in_when_the_password_is_right_and_waits_for_slow_tokens(
    secured: Secured, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickwire.kafka.producing.publisher.CONNECT_SECONDS", 1.0)
    secured.topics(*names(unique).values())
    config = in_a_file(secured.config(**names(unique)), tmp_path / "password")
    (tmp_path / "password").write_text("wrong")
    secured.endpoint.delay_s = 3.0
    tokens = secured.config("OAUTH", **names(unique))
    several = [Publisher(one, source=f"{unique}-{n}", offline_start=True) for n, one in enumerate((config, tokens))]
    try:
        for publisher in several:
            await asyncio.to_thread(publisher.open)
            publisher.start(asyncio.get_running_loop())
        assert not any(publisher._link.opened for publisher in several)
        (tmp_path / "password").write_text(PASSWORD)
        await aeventually(lambda: all(publisher._link.opened for publisher in several), "both are in")
    finally:
        secured.endpoint.delay_s = 0.0
        for publisher in several:
            await publisher.close(1)


def planted(secured: Secured) -> dict[str, dict[str, str]]:
    """The environment of each way in that takes a secret, right and wrong."""
    locked = {f"ssl_{what}_location": secured.folder / "ours" / "locked.pem" for what in ("certificate", "key")}
    return {
        "password": secured.environment(),
        "key": secured.environment("MTLS", ssl_key_password=KEY_PASSWORD, **locked),
        "client secret": secured.environment("OAUTH"),
        "wrong": secured.environment(sasl_password="CANARY-wrong"),
        "key as a path": secured.environment() | {"KAFKA_SSL_KEY_LOCATION": "-----BEGIN PRIVATE KEY-----\nCANARY"},
        "token in an address": secured.environment("OAUTH") | {
            "KAFKA_SASL_OAUTH_TOKEN_ENDPOINT_URL": "http://localhost:1/token?access_token=CANARY"
        },
    }  # fmt: skip


def test_no_secret_is_in_what_commands_print(
    secured: Secured, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TICKWIRE_LOG_LEVEL", "debug")
    for environment in planted(secured).values():
        with monkeypatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            for command in (["check", "--json"], ["config", "show", "--json"]):
                with pytest.raises(SystemExit):
                    main(command)
    out, err = capfd.readouterr()
    assert "KAFKA_SASL_PASSWORD" in out
    assert "CANARY" not in out + err


def test_no_secret_is_in_the_process_list_the_log_or_the_metrics_of_a_producer(
    secured: Secured, unique: str, tmp_path: Path
) -> None:
    secured.topics(*names(unique).values())
    port = free_port()
    ours: dict[str, Any] = {
        "metrics_enabled": True,
        "metrics_port": port,
        "spill_dir": tmp_path / "spill",
        **names(unique),
    }
    settings = {**secured.environment(**ours), "TICKWIRE_LOG_LEVEL": "debug"}
    with Exchange("kraken", free_port(), tmp_path, symbols=2, rate=50) as exchange:
        command = ["produce", "--workers", "2", "--report", str(tmp_path / "report.json")]
        with Program("produce", command, settings | exchange.settings(), tmp_path) as program:
            program.until(lambda: program.metric("kafka_messages_published_total"), "records are acknowledged")
            workers = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
            lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in (program.pid, *workers)]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                page = answer.read().decode()
            program.ask_to_end()
            assert program.wait() == 0
    assert len(lines) == 3
    files = [path.read_bytes().decode(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [text for text in (*lines, page, *files) if "CANARY" in text]
