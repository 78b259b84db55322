"""What Hyperliquid sends.

Messages: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/subscriptions
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct

_Millis = Annotated[int, Meta(ge=0, le=2**53)]


class Level(Struct):
    px: str
    sz: str


class Best(Struct):
    coin: str
    time: _Millis
    bbo: Annotated[list[Level | None], Meta(max_length=2)]  # the bid and the ask, where there is one


class Book(Struct):
    coin: str
    time: _Millis
    levels: tuple[Raw, Raw]


class Trade(Struct):
    coin: str
    side: Literal["A", "B"]  # the taker's
    px: str
    sz: str
    time: _Millis
    tid: _Millis


class Subscription(Struct):
    type: str
    coin: str = ""


class Answer(Struct):
    method: str
    subscription: Subscription


class Frame(Struct):
    channel: str
    data: Raw = Raw(b"null")


decode = msgspec.json.Decoder(Frame).decode
decode_best = msgspec.json.Decoder(Best).decode
decode_book = msgspec.json.Decoder(Book).decode
decode_trades = msgspec.json.Decoder(list[Trade]).decode
decode_answer = msgspec.json.Decoder(Answer).decode
decode_subscription = msgspec.json.Decoder(Subscription).decode
decode_error = msgspec.json.Decoder(str).decode
