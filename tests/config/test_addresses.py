"""Overrides replace scheme, host and port and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickwire.config.addresses import is_loopback, replace_origin

PATH = st.from_regex(r"(/[a-z0-9@:.~-]+)*/?(\?[a-z=&/0-9]+)?", fullmatch=True)
ORIGIN = st.from_regex(r"(ws|https)://([a-z]{1,9}|\[::1\])(:[1-9][0-9]{0,3})?", fullmatch=True)


@given(ORIGIN, PATH, ORIGIN)
def test_the_path_and_query_stay_and_the_rest_is_replaced(origin: str, path: str, override: str) -> None:
    assert replace_origin(origin + path, override) == override + path


def test_a_slash_at_the_end_of_the_override_changes_nothing() -> None:
    assert replace_origin("wss://ws.kraken.com/v2", "ws://127.0.0.1:8765/") == "ws://127.0.0.1:8765/v2"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://127.0.0.1:1", True),
        ("ws://127.1.2.3", True),
        ("http://[::1]:80/x", True),
        ("http://LOCALHOST", True),
        ("http://a.localhost", True),
        ("http://localhost.example", False),
        ("http://notlocalhost", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
        ("wss://stream.binance.com:9443", False),
    ],
)
def test_loopback_is_this_machine_alone(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected
