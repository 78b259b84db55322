"""The demo's verdict turns wrong for every way in which a message can be missing."""

import copy
from typing import Any

import pytest

from tickwire.cli.accounting import judge

BOOK = {"bids": [["1.00", "2"]], "asks": [["1.01", "3"]]}


def a_good_run() -> dict[str, Any]:
    return {
        "produced": {
            "frames_received": 12,
            "frames_rejected": {"malformed": 0},
            "events": {"ticker": 4, "orderbook": 6},
            "topics": {
                topic: {"events": n, "acknowledged": n, "failed": 0, "dropped": 0, "in_flight": 0}
                for topic, n in (("ticks.v1.raw", 4), ("orderbook.v1.raw", 6))
            },
        },
        "consumed": {
            "consumed": {"ticks.v1.raw": 4, "orderbook.v1.raw": 6},
            "dead_lettered": {},
            "jumps": 0,
            "books": {"binance|BTC-USDT": {"valid": False, "depth": 1000, **copy.deepcopy(BOOK)}},
        },
        "sent": 12,
        "books": {"BTC-USDT": copy.deepcopy(BOOK)},
    }


def test_a_run_without_loss_is_good() -> None:
    assert all(check.ok for check in judge(**a_good_run()))


def test_a_live_run_is_judged_without_the_exchanges_own_numbers() -> None:
    run = a_good_run() | {"sent": None, "books": None}
    assert all(check.ok for check in judge(**run))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("produced", "frames_received"), 11),
        (("produced", "frames_rejected", "malformed"), 1),
        (("produced", "events", "ticker"), 5),
        (("produced", "topics", "ticks.v1.raw", "acknowledged"), 9),
        (("produced", "topics", "ticks.v1.raw", "dropped"), 1),
        (("produced", "topics", "ticks.v1.raw", "in_flight"), 1),
        (("consumed", "consumed", "ticks.v1.raw"), 3),
        (("consumed", "dead_lettered", "ticks.v1.raw"), 1),
        (("consumed", "jumps"), 1),
        (("consumed", "books", "binance|BTC-USDT", "bids"), [["1.00", "2.0"]]),
        (("consumed", "books"), {}),
        (("books", "BTC-USDT", "bids"), []),
    ],
)
def test_one_number_off_is_found(path: tuple[str, ...], value: object) -> None:
    run = a_good_run()
    target = run
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = value
    assert not all(check.ok for check in judge(**run))
