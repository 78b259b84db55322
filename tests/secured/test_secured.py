"""The ways in and out of a secured Kafka: what works, and what is said where something is wrong."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from kafka.publishing import book, metric, numbers_of, running, sums_agree, ticker, trade
from secured.cluster import KEY_PASSWORD, PASSWORD, Secured
from support import aeventually, eventually
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, LoginRefused
from tickwire.kafka.admin.check import check, healthy
from tickwire.kafka.admin.rights import group_rights, topic_rights
from tickwire.kafka.clients import Cluster, connect_check
from tickwire.kafka.consuming.consumer import run_kafka_consumer
from tickwire.kafka.consuming.positions import Start
from tickwire.kafka.dead_letters.reader import read_oldest
from tickwire.kafka.producing.flow import NullFlow
from tickwire.kafka.producing.publisher import Publisher

pytestmark = pytest.mark.kafka

Values = Callable[[Secured], Mapping[str, Any]]


def port(listener: str) -> Values:
    return lambda secured: {"brokers": f"localhost:{secured.ports[listener]}"}


def certificate(file: str, whose: str = "ours", **more: Any) -> Values:
    return lambda secured: (
        {f"ssl_{what}_location": secured.folder / whose / f"{file}.pem" for what in ("certificate", "key")} | more
    )


def these(**values: Any) -> Values:
    return lambda _: values


def pem(secured: Secured) -> Mapping[str, Any]:
    """The three files of mutual TLS as text in variables, the key with the line breaks that some shells write."""
    folder = secured.folder / "ours"
    key = (folder / "feed.key").read_text().replace("\n", "\\n")
    without = dict.fromkeys(("ssl_ca_location", "ssl_certificate_location", "ssl_key_location"))
    text = {"ssl_ca_pem": (folder / "ca.crt").read_text(), "ssl_certificate_pem": (folder / "feed.crt").read_text()}
    return without | text | {"ssl_key_pem": key}


def tokens(**values: Any) -> Values:
    """Tokens without a client secret, got otherwise."""
    without = {"sasl_oauth_client_id": None, "sasl_oauth_client_secret": None}
    return lambda secured: (
        without | {name: value(secured) if callable(value) else value for name, value in values.items()}
    )


def hook(name: str) -> Values:
    return tokens(
        sasl_oauth_callback=f"secured.hooks:{name}", sasl_oauth_config=lambda secured: secured.endpoint.http,
        sasl_oauth_token_endpoint_url=None, sasl_oauth_extensions="logicalCluster=lkc-1,identityPoolId=pool-1",
    )  # fmt: skip


def assertion(secured: Secured) -> Path:
    """A file with one, as Kubernetes has them for its pods."""
    file = secured.folder / "assertion"
    file.write_text(secured.endpoint.token())
    return file


RIGHT: dict[str, tuple[str, Values]] = {
    "SCRAM": ("SCRAM", these()),
    "PLAIN": ("SCRAM", these(sasl_mechanism="PLAIN")),
    "SCRAM without TLS": ("OPEN", these()),
    "TLS alone": ("TLS", these()),
    "client certificate": ("MTLS", these()),
    "encrypted key": ("MTLS", certificate("locked", ssl_key_password=KEY_PASSWORD)),
    "PEM in variables": ("MTLS", pem),
    "OAUTHBEARER": ("OAUTH", these()),
    "OAUTHBEARER with extensions": ("OAUTH", these(sasl_oauth_extensions="logicalCluster=lkc-1,identityPoolId=pool-1")),
    "OAUTHBEARER by a function": ("OAUTH", hook("token")),
    "OAUTHBEARER by an assertion": ("OAUTH", tokens(sasl_oauth_assertion_location=assertion)),
    "OAUTHBEARER by an assertion that is signed here": ("OAUTH", tokens(
        sasl_oauth_assertion_key_location=lambda secured: secured.folder / "ours" / "feed.key",
        sasl_oauth_assertion_algorithm="ES256", sasl_oauth_assertion_audience="idp",
        sasl_oauth_assertion_issuer="feed", sasl_oauth_assertion_subject="feed",
    )),
    "OAUTHBEARER over https": ("OAUTH", lambda secured: {
        "sasl_oauth_token_endpoint_url": secured.endpoint.https, "sasl_oauth_ca_location": secured.authority.file,
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_credentials_are_let_in(name: str, secured: Secured) -> None:
    listener, values = RIGHT[name]
    assert len(connect_check(secured.config(listener, **values(secured))).nodes) == 1


WRONG: dict[str, tuple[str, Values, str]] = {
    "wrong password": ("SCRAM", these(sasl_password="wrong"), "refused the login of feed with SCRAM-SHA-512"),
    "a mechanism that is not offered": (
        "SCRAM", these(sasl_mechanism="SCRAM-SHA-256"), "has no log-in with SCRAM-SHA-256.* SCRAM-SHA-512, PLAIN",
    ),
    "SASL where nobody logs in": ("SCRAM", port("TLS"), "logs nobody in.*set it to SSL and remove KAFKA_SASL"),
    "SASL where nobody logs in, no TLS": ("OPEN", port("PLAINTEXT"), "logs nobody in.*PLAINTEXT"),
    "no TLS to a TLS port": ("PLAINTEXT", port("TLS"), "speaks TLS, and KAFKA_SECURITY_PROTOCOL is PLAINTEXT.* SSL"),
    "no TLS to a SASL_SSL port": ("PLAINTEXT", port("SCRAM"), "speaks TLS.*SASL_SSL.*SCRAM-SHA-512, PLAIN"),
    "SASL without TLS to a SASL_SSL port": ("OPEN", port("SCRAM"), "speaks TLS.*SASL_PLAINTEXT: set it to SASL_SSL"),
    "no SASL to a SASL port": ("PLAINTEXT", port("OPEN"), "wants a log-in.*SASL_PLAINTEXT.*SCRAM-SHA-512"),
    "TLS without SASL to a SASL_SSL port": ("TLS", port("SCRAM"), "wants a log-in.*SASL_SSL.*SCRAM-SHA-512, PLAIN"),
    "TLS to a port without": ("TLS", port("PLAINTEXT"), "does not speak TLS.*set it to PLAINTEXT,"),
    "SASL_SSL to a port without TLS": ("SCRAM", port("OPEN"), "does not speak TLS.*set it to SASL_PLAINTEXT"),
    "no authority": ("SCRAM", these(ssl_ca_location=None), "signed by nobody in the system's .*KAFKA_SSL_CA_LOCATION"),
    "another authority": ("FOREIGN", these(), r"signed by nobody in \S+ca\.crt .*KAFKA_SSL_CA_LOCATION"),
    "a broker's certificate that has expired": ("EXPIRED", these(), "certificate of Kafka .* has expired"),
    "a broker's certificate for another host": ("MISNAMED", these(), "for another host .*name the broker in KAFKA_BRO"),
    "no client certificate": ("TLS", port("MTLS"), "wants a client certificate"),
    "a client certificate that has expired": ("MTLS", certificate("late"), "refused our client .*expired ..* UTC"),
    "a client certificate of another authority": ("MTLS", certificate("feed", "theirs"), "refused our client .*signed"),
    "a key without its password": ("MTLS", certificate("locked"), "KAFKA_SSL_KEY_PASSWORD"),
    "a wrong client secret": ("OAUTH", these(sasl_oauth_client_secret="wrong"), "no OAUTHBEARER token .*invalid_clien"),
    "no token endpoint": (
        "OAUTH", these(sasl_oauth_token_endpoint_url="http://localhost:1/token"), "no OAUTHBEARER token .*Could not",
    ),
    "a function that fails": ("OAUTH", hook("failing"), "no OAUTHBEARER token .*hooks:failing .RuntimeError: no key"),
    "a function whose token has ended": ("OAUTH", hook("ended"), "no OAUTHBEARER token .*hooks:ended .its token has"),
    "a token endpoint of an unknown authority": (
        "OAUTH", lambda secured: {"sasl_oauth_token_endpoint_url": secured.endpoint.https},
        "no OAUTHBEARER token .*local issuer certificate",
    ),
}  # fmt: skip


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


def test_a_slow_token_is_waited_for(secured: Secured) -> None:
    secured.endpoint.delay_s = 2.5
    try:
        assert connect_check(secured.config("OAUTH")).nodes
    finally:
        secured.endpoint.delay_s = 0.0


def names(unique: str) -> dict[str, str]:
    return {f"{kind}_topic": f"{kind}.{unique}" for kind in ("ticker", "orderbook", "trades")}


def a_user(secured: Secured, unique: str, **rights: tuple[str, ...]) -> dict[str, Any]:
    """Make the topics, and a user with rights on them, by setting; return the settings for both."""
    mine = names(unique)
    secured.topics(*mine.values())
    secured.password(unique)
    settings: dict[str, Any] = {"sasl_username": unique, "group_id": unique, "linger_ms": 0, **mine}
    eventually(lambda: lets_in(secured.config(**settings)), "the broker knows the user")
    for setting, operations in rights.items():
        grant(secured, unique, "topic", mine[setting], *operations)
    return settings


def lets_in(config: KafkaConfig) -> bool:
    try:
        connect_check(config, 5.0)
    except LoginRefused:
        return False
    return True


def grant(secured: Secured, user: str, kind: str, name: str, *operations: str) -> None:
    """Give rights and wait until the broker goes by them."""
    secured.allow(user, kind, name, *operations)
    cluster = Cluster(secured.config(sasl_username=user))

    def has() -> bool:
        told = topic_rights(cluster, [name], 5.0)[name] if kind == "topic" else group_rights(cluster, name, 5.0)
        return set(operations) <= set(told or ())

    eventually(has, f"{user} has {operations} on {name}")


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
