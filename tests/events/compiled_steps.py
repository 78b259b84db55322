"""Thousands of steps with the compiled part, most of them mistakes: types named, made, filled and called in any order.

The first argument is a type to try more often than others, the second one a seed.
"""

import gc
import random
import sys
from types import SimpleNamespace
from typing import Any

from msgspec import Raw

from tickwire.compiled import native
from tickwire.kafka.producing import record_producer
from tickwire.records.formats import avro, protobuf

TICKER = b'{"s":"$","b":%,"B":%,"a":%,"A":%(,"t":"^")+}'
CHANGE = b'{"E":#m,"s":"$","U":#f,"u":#l,"b":=b,"a":=a+}'
TRADE = b'{"s":"$","n":#,"p":"%","q":%,"t":#m,"m":<true|false>+}'
CHECKED = b'{"s":"$","b":=b,"a":=a,"c":#c,"t":"^"+}'
WORDED = b'{"s":"$","n":"$","w":=s,"t":#u}'
OF_CHANGES = [
    (CHANGE, (1, None, (), (), False)),
    (CHANGE, (4, None, (), (), False)),
    (CHECKED, (0, (10, 2, 2), (), (), False)),
    (CHECKED, (0, (25, 0, 0), ("p", "q"), (), False)),
    (CHANGE, (0, None, (), (), True)),
    (WORDED, (0, None, (), (("x", 1), ("y", 2), ("z", 3), ("v", 0)), False)),
]

TEXTS = ((1, "", 0, False), (2, "", 0, False))
MESSAGES = [
    TEXTS,
    ((1, "a", TEXTS, True), (2, "b", 1, False)),
    ((3, "c", ((1, "d", TEXTS, True),), False),),
    (),
    ((1,),),
]

focus, seed = sys.argv[1], int(sys.argv[2])
steps = int(sys.argv[3]) if len(sys.argv) > 3 else 4000
chance = random.Random(seed)
assert native.AvroEncoder is avro.AvroEncoder
assert native.ProtobufEncoder is protobuf.ProtobufEncoder
assert record_producer._connected(native.RecordProducer)
types = [value for value in vars(native).values() if isinstance(value, type)]
functions = [value for value in vars(native).values() if callable(value) and not isinstance(value, type)]


def raises(*_arguments: Any, **_more: Any) -> Any:
    raise ArithmeticError("no")


def takes(*_arguments: Any, **_more: Any) -> bytes:
    return b"value"


record = SimpleNamespace(topic="t", key=b"k", value=b"v", headers=[], timestamp_ms=1)
writer = SimpleNamespace(encode=takes, last_ms=0)
frames = [
    b'{"s":"A","b":1,"B":2,"a":3,"A":4}',
    b'{"s":"A","b":1,"B":2,"a":3,"A":4,"t":"2026-01-01T00:00:00Z","x":1}',
    b'{"E":1,"s":"A","U":1,"u":1,"b":[["1","2"]],"a":[["3","4"]]}',
    b'{"E":1,"s":"A","U":2,"u":5,"b":[["1","0"],["0.5","1"]],"a":[]}',
    b'{"s":"A","b":[["1","2"]],"a":[["3","4"]],"c":1,"t":"2026-01-01T00:00:00.5Z"}',
    b'{"s":"A","n":1,"p":"2","q":3,"t":4,"m":true}',
    b'{"s":"A","n":2,"p":"2","q":3,"t":4,"m":false,"x":null}',
    b'{"s":"A","n":"B","w":[["x","1","2"],["y","3","0"],["v","2","1"]],"t":9}',
    b'{"s":"A","n":"B","w":[["z",1,2]],"t":9}',
    b'{"s":"A","b":[{"p":1,"q":2}],"a":[{"q":2,"n":1,"p":"3"}],"c":1,"t":"2026-01-01T00:00:00.5Z"}',
    b'{"s":"A"',
    b"",
]
shapes = [
    TICKER, CHANGE, CHECKED, TRADE, b"", b"$##%%<a|b>", b"$#%%^<a|", b"$#%%^<|b>", b"<a|b>" * 9,
    b"%%%%$", b"$=s#u", b"$#x#l#p=a=b^", b"$)%(%%%", b"$(%%%%)", b"($)%%%%", b"%%%%$(", b"$==###", b"$###==",
    b"~@$%%%%(%)#" * 30,
]  # fmt: skip
event, lane = SimpleNamespace(symbol="A", exchange="x", received_us=5), SimpleNamespace(broken=False)
WAITS = {"poll", "flush", "partitions"}  # for as long as they are told
odd: list[Any] = [
    None, 0, -1, 1, 2**63, -2**63, 2**200, 1.5, "", "A", "1", "1e5", "\u0663", "9" * 200, "0." + "1" * 90, b"", b"A",
    (), [], {}, set(), {"t"}, ("p", "q"), ("p", 1), [("1", "2"), ("2", "3")], [("1", "2", "3")], [("1",)], [1], [None],
    [("1", "0"), ("1", "5"), ("x", "1")], [(str(n), "1") for n in range(100)], Raw(b'[["1","2"],["3","0"]]'),
    Raw(b"[["), Raw(b'[{"p":1,"q":2}]'), Raw(b"[]"), raises, takes, record, writer, {"A": 1}, {"A": None}, int,
    (int, float), event, lane, *frames, *shapes,
]  # fmt: skip
pool: dict[type, list[Any]] = {kind: [] for kind in types}


def some(kind: type | None = None) -> Any:
    """An object of this type, mostly; without a type anything."""
    if kind is not None and pool[kind] and chance.random() < 0.9:
        return chance.choice(pool[kind])
    made = [one for kind in types for one in pool[kind]]
    return chance.choice(made if made and chance.random() < 0.4 else odd)


def usual(kind: type) -> tuple[Any, ...]:  # noqa: C901, PLR0911 - one for each type
    """Arguments to make an object with, as they should be, mostly."""
    n = native
    match kind.__name__:
        case "FrameGate":
            return chance.choice([(1, 2), (), ("text",)]), chance.choice([0, 9]), takes, chance.choice([takes, raises])
        case "InFlight":
            return some(n.Counts), lane, record
        case "InFlightTable":
            return takes, takes
        case "DirectPublisher":
            return some(n.InFlightTable), writer, set(), takes, takes, takes
        case "ShortWayReceiver":
            tops = chance.choice([{}, {"A": some(n.TopState)}])
            counts = tuple(some(n.Number) for _ in range(3))
            of_events = (SimpleNamespace, int, str)
            return (
                some(n.ShortWay),
                {"A": some(n.BookNumbers)},
                tops,
                {"A": some(n.TradeNumbers)},
                some(n.DirectPublisher),
                some(n.Number),
                some(n.Number),
                counts,
                of_events,
                takes,
                takes,
            )
        case "AvroEncoder" | "ProtobufEncoder":
            return chance.choice(["ticker", "orderbook", "trade"]), chance.randrange(2**32)
        case "AvroReader" | "ProtobufReader":
            return (chance.choice(["ticker", "orderbook", "trade"]),)
        case "ProtobufText":
            return (chance.choice(MESSAGES),)
        case "RecordProducer":
            return ({"bootstrap.servers": "127.0.0.1:1", "log_level": 0, "error_cb": takes},)
        case "ShortWay":
            change, rule = chance.choice(OF_CHANGES)
            return chance.choice([TICKER, b""]), change, TRADE, some() if chance.random() < 0.1 else rule
    return ()


def prepare(one: Any) -> None:  # noqa: C901 - as above
    """Do with an object what makes others work with it, if there is such a thing."""
    n, number = native, chance.randrange
    match type(one).__name__:
        case "ShortWayReceiver":
            one(chance.choice(frames))
        case "FrameGate":
            size = chance.choice([0, 9, 10, -1, None])
            one(None, SimpleNamespace(msg_type=number(3), fin=some(), payload_size=size, get_payload_as_bytes=takes))
        case "ProtobufText":
            one(
                chance.choice(
                    [
                        b"",
                        b"\x0a\x03abc",
                        b"\x0a\x05\x0a\x01a\x12\x00\x10\x07",
                        b"\x1a\x02\x0a\x00",
                        b"\x0a\x7f",
                        b"\x80",
                    ]
                )
            )
        case "ShortWay":
            one.ticker("A", "A", b'{"bid":', some(n.Number))
            one.trade("A", "A", b'{"trade_id":')
            names = chance.choice([("A",), ("A", "B"), (), ("A", None)])
            one.follow(
                "A",
                names,
                "A",
                b"x",
                some(n.Side),
                some(n.Side),
                some(n.UpdateId),
                number(31) - 1,
                number(31),
                number(31),
            )
        case "DirectPublisher":
            one.open(
                chance.choice([SimpleNamespace, int, str]),
                "A",
                (lane, some(n.Counts), "x", "t", b"k", [], "kind", "a", chance.random() < 0.5),
            )
            one.alone = True
        case "InFlightTable":
            one.ready, one.produce = True, chance.choice([takes, raises])
            one.begun = chance.choice([None, takes, raises])
            one.hand_over(some(n.InFlight))
        case "RecordProducer":
            one.poll(0)
            flights = some(n.InFlightTable)
            flights.ready, flights.produce = True, one.produce
            flights.hand_over(some(n.InFlight))
            chance.choice([one.purge, flights.take_back, len])()
        case "BookNumbers":
            one.valid = True
        case "TradeNumbers":
            one.last, one.ahead = number(3), True
        case "TopState":
            one.bids, one.asks, one.prefix, one.depth = some(n.Side), some(n.Side), b"x", number(5)


def disturb(one: Any) -> None:
    """Do anything else with it."""
    name = chance.choice([name for name in dir(one) if not name.startswith("__") and name not in WAITS] or ["nothing"])
    arguments = [some() for _ in range(chance.randrange(5))]
    match chance.randrange(7):
        case 0:
            one(*arguments)
        case 1:
            one.__init__(*arguments)
        case 2:
            repr((len(one), list(one)))
        case 3:
            repr((hash(one), one == some()))
        case 4:
            setattr(one, name, some())
        case 5:
            delattr(one, name)
        case _:
            getattr(one, name)(*arguments)


def step() -> None:
    """Make an object, or use one."""
    kind = getattr(native, focus) if chance.random() < 0.4 else chance.choice(types)
    match chance.randrange(8):
        case 0:
            pool[kind].append(kind(*usual(kind)))
        case 1:
            pool[kind].append(kind.__new__(kind, *[some() for _ in range(chance.randrange(3))]))
        case 2:
            chance.choice(functions)(some())
        case 3 | 4:
            disturb(some(kind))
        case _:
            prepare(some(kind))
    if len(pool[kind]) > 6:
        del pool[kind][chance.randrange(6)]


for number in range(steps):
    try:
        step()
    except Exception:  # noqa: BLE001 - what mistakes are answered with
        continue
    if number % 500 == 0:
        gc.collect()
for kind in types:
    sys.stdout.write(f"{kind.__name__} {len(pool[kind])}\n")
