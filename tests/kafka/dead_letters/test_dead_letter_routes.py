"""Where a replayed dead letter goes: only to topics of market data, never in a circle."""

from dataclasses import replace

import pytest

from consumer_support import config_for
from dead_letter_support import source
from tickwire.errors import UsageError
from tickwire.kafka.dead_letters.headers import HEADERS, HeaderList, replay_count, split_headers, split_replay
from tickwire.kafka.dead_letters.replay.routes import (
    ReplayRules,
    Route,
    Router,
    quarantine_topic,
    replay_headers,
)
from tickwire.kafka.dead_letters.selection import DeadLetter, Selection
from tickwire.kafka.times import parse_time

CONFIG = config_for("localhost:1", "x")
THERE = {*CONFIG.topics, CONFIG.dlq_topic, quarantine_topic(CONFIG), "other"}
OURS = dict.fromkeys(HEADERS, "") | {
    "source_topic": CONFIG.ticker_topic,
    "error_type": "schema",
    "error_message": "no price",
    "dlq_id": "t-0-7",
    "replay_count": "0",
    "left_out": "nothing",
}


def letter(headers: HeaderList | None = None, **ours: str) -> DeadLetter:
    block: HeaderList = [(name, text.encode()) for name, text in (OURS | ours).items()]
    return DeadLetter.of(source(CONFIG, 5, headers=[*(headers or []), *block]))


def route(dead: DeadLetter, **rules: object) -> Route:
    return Router(CONFIG, ReplayRules(**rules), THERE).route(dead)  # type: ignore[arg-type]


def test_it_goes_where_it_came_from_or_where_it_is_told() -> None:
    assert route(letter())[:2] == ("replay", CONFIG.ticker_topic)
    told = route(letter(source_topic="other"), target=CONFIG.ticker_topic)
    assert told[:2] == ("replay", CONFIG.ticker_topic)


@pytest.mark.parametrize("topic", ["other", "", CONFIG.dlq_topic, quarantine_topic(CONFIG), "__consumer_offsets"])
def test_no_other_topic_is_a_target(topic: str) -> None:
    assert route(letter(source_topic=topic)).action == "stay"
    with pytest.raises(UsageError, match="is not allowed"):
        route(letter(), target=topic)


def test_a_dead_letter_topic_that_is_called_like_a_source_is_no_target() -> None:
    config = config_for("localhost:1", "x", ticker_topic="a.quarantine", dlq_topic="a")
    router = Router(config, ReplayRules(), {"a.quarantine", "a"})
    assert router.route(letter(source_topic="a.quarantine")).action == "stay"


def test_a_missing_topic_is_no_target() -> None:
    rules = ReplayRules()
    assert (
        Router(CONFIG, rules, {CONFIG.dlq_topic}).route(letter()).reason
        == "its source topic is not in Kafka, or hidden from this user"
    )
    with pytest.raises(UsageError, match="is not in Kafka"):
        Router(CONFIG, replace(rules, target=CONFIG.ticker_topic), set())


def test_order_books_need_to_be_allowed_by_source_by_target_and_by_schema() -> None:
    schemas = [letter([("schema", schema)]) for schema in (b"orderbook/1", b"orderbook/2")]
    books = [letter(source_topic=CONFIG.orderbook_topic), *schemas]
    for book in books:
        assert route(book).action == "stay"
        assert route(book, allow_orderbook=True).action == "replay"
    assert route(letter(), target=CONFIG.orderbook_topic).action == "stay"


@pytest.mark.parametrize(("count", "action"), [("0", "replay"), ("2", "replay"), ("3", "quarantine"), ("x", "replay")])
def test_what_was_replayed_too_often_goes_to_the_quarantine(count: str, action: str) -> None:
    assert route(letter(replay_count=count)).action == action


def test_what_is_not_whole_or_not_ours_stays() -> None:
    assert route(letter(left_out="headers,value")).action == "stay"
    assert route(DeadLetter.of(source(CONFIG, 1))).action == "stay"


def test_a_dead_letter_of_another_program_goes_back_under_the_name_of_its_place() -> None:
    headers: HeaderList = [("trace", b"1"), ("source_topic", CONFIG.ticker_topic.encode()), ("error_type", b"odd")]
    foreign = DeadLetter.of(source(CONFIG, 5, headers=headers, topic=CONFIG.dlq_topic))
    assert route(foreign)[:2] == ("replay", CONFIG.ticker_topic)
    assert split_replay(replay_headers(foreign, "run", "now")) == (
        [("trace", b"1")],
        {"replay_count": "1", "replay_of": f"{CONFIG.dlq_topic}-0-5", "replayed_at": "now", "replay_id": "run"},
    )


def test_the_reason_of_the_failure_is_replaced_by_the_way_it_came() -> None:
    headers: HeaderList = [("trace", b"\xff"), ("trace", None)]
    sent = replay_headers(letter(headers, replay_count="1"), "run", "now")
    assert split_replay(sent) == (
        headers,
        {"replay_count": "2", "replay_of": "t-0-7", "replayed_at": "now", "replay_id": "run"},
    )
    assert split_headers(sent)[1] == {}


@pytest.mark.parametrize("text", ["²", "-1", "9" * 5000, "", " 1"])
def test_a_forged_count_is_no_number(text: str) -> None:
    assert replay_count({"replay_count": text}) == 0
    assert replay_count({"replay_count": text}, {"replay_count": "2"}) == 2


def test_every_condition_of_a_selection_has_to_hold() -> None:
    dead = letter()
    time_ms = dead.record.timestamp_ms
    assert time_ms is not None
    fitting = Selection(
        since_ms=time_ms,
        until_ms=time_ms + 1,
        error_type="schema",
        source_topic=CONFIG.ticker_topic,
        key="kraken|BTC-USD",
        grep="price",
    )
    assert fitting.matches(dead)
    assert replace(fitting, grep="v").matches(dead)
    for name, other in {
        "since_ms": time_ms + 1,
        "until_ms": time_ms,
        "error_type": "process",
        "source_topic": "other",
        "key": "kraken|BTC",
        "grep": "nothing like it",
    }.items():
        assert not replace(fitting, **{name: other}).matches(dead), name  # type: ignore[arg-type]


def test_a_record_of_someone_else_can_be_selected_too() -> None:
    dead = DeadLetter.of(source(CONFIG, 1, value=None, key=None))
    assert Selection().matches(dead)
    assert not Selection(error_type="schema").matches(dead)
    assert not Selection(key="").matches(dead)
    assert not Selection(grep="x").matches(dead)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1700000000000", 1_700_000_000_000), ("2023-11-14T22:13:20Z", 1_700_000_000_000), ("1970-01-01T00:00:01", 1000)],
)
def test_times_are_read(text: str, expected: int) -> None:
    assert parse_time("--since", text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "-5", "1" * 16, "1969-01-01", "٣"])
def test_what_is_no_time_is_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"--since .* is no time"):
        parse_time("--since", text)
