"""Where bytes come in, as functions that may be called with any: what they raise is a defect.

Each has the inputs that it began with (*seeds*) and those that once found something, in ``corpus/NAME/``.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

from exchanges.broken import START_US, Session
from kafka.spill.spill_support import fast_folder, open_log, read_all, record
from record_support import EVENTS, FORMATS, reader_of
from tickwire import exchanges, simulator
from tickwire.errors import ConnectionLost, FrameRejected, NotWanted, RecordRejected, SpillUnusable, SubscriptionRefused
from tickwire.exchanges.contract import AdapterContract, Fetch, Output
from tickwire.records.codec import RecordWriter, read_event, record_key
from tickwire.records.formats import JSON, value_format

BETWEEN = b"\0\xff\0"  # between two frames of an input
CORPUS = Path(__file__).with_name("corpus")
_NAMES = simulator.names()
_SAID = FrameRejected | NotWanted | ConnectionLost | SubscriptionRefused
_KEY = record_key("binance", "BTC-USDT")


@cache
def _session(name: str) -> Session:
    return Session(name, 1)


def adapters(data: bytes) -> None:
    """Frames of one connection, of the exchange that the first byte names; what is fetched gets the frames as well."""
    if not data:
        return
    name = _NAMES[data[0] % len(_NAMES)]
    adapter: AdapterContract = exchanges.load(name).Adapter(
        _session(name).symbols, [*exchanges.load(name).EXCHANGE.channels], 10
    )
    wanted = [output for output in adapter.start() if isinstance(output, Fetch)]
    for number, frame in enumerate(data[1:].split(BETWEEN)):
        try:
            if wanted and frame[:1] == b"\0":
                outputs = adapter.fetched(wanted.pop(), frame[1:], START_US + number)
            else:
                outputs = adapter.receive(frame, START_US + number)
            wanted += [output for output in outputs if isinstance(output, Fetch)]
        except Exception as e:
            if not isinstance(e, _SAID):
                raise


def adapter_seeds() -> Iterator[bytes]:
    """The beginning of a session with each exchange: its answers, its changes, its snapshots over REST."""
    for number, name in enumerate(_NAMES):
        session = Session(name, 1)
        heard = Listening(session.adapter)
        session.adapter = cast("AdapterContract", heard)
        session.run(8)
        yield bytes([number]) + BETWEEN.join(heard.frames)


class Listening:
    """An adapter that keeps what comes to it."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self.frames: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def receive(self, payload: bytes, received_us: int) -> list[Output]:
        """Keep it as it is."""
        self.frames.append(payload)
        outputs: list[Output] = self._adapter.receive(payload, received_us)
        return outputs

    def fetched(self, fetch: Fetch, body: bytes, received_us: int) -> list[Output]:
        """Keep it behind a zero."""
        self.frames.append(b"\0" + body)
        outputs: list[Output] = self._adapter.fetched(fetch, body, received_us)
        return outputs


def spill(data: bytes) -> None:
    """Records on disk, some acknowledged, and then what else may happen to the files, four bytes each time."""
    size, rest = data[:1], data[1:]
    count = size[0] % 16 if size else 0
    values = [rest[number::17] for number in range(count)]
    with fast_folder() as folder:
        log = open_log(folder, max_bytes=1 << 14)
        numbers = [log.append(record(number, value)) for number, value in enumerate(values)]
        for number in numbers[: count // 3]:
            log.acknowledge(number)
        log.close()
        for at in range(0, len(rest) - 3, 4):
            _harm(folder, *rest[at : at + 4])
        try:
            log = open_log(folder, max_bytes=1 << 15)
        except SpillUnusable:
            return
        found = read_all(log)
        written = [record(number, value) for number, value in enumerate(values)]
        assert all(one in written for one in found.values()), "a record that nobody wrote"
        assert len(found) == log.records
        new = log.append(record(99))
        log.close()
        log = open_log(folder, max_bytes=1 << 15)
        assert log.recovered.lost_records == 0
        assert read_all(log) == found | {new: record(99)}
        log.close()


def _harm(folder: Path, which: int, way: int, where: int, value: int) -> None:
    files = sorted(path for path in folder.iterdir() if path.name != "lock")
    if not files:
        return
    file = files[which % len(files)]
    content = bytearray(file.read_bytes())
    at = where * (len(content) + 1) // 256
    match way % 5:
        case 0:
            content[at : at + 1] = bytes([value])
        case 1:
            del content[at:]
        case 2:
            content[at:at] = content[: value * 2]
        case 3:
            del content[at : at + value]
        case _:
            content[at : at + value] = bytes(len(content[at : at + value]))
    file.write_bytes(content)


def spill_seeds() -> Iterator[bytes]:
    """A few records, unharmed and harmed in each way."""
    for way in range(5):
        yield bytes([9]) + bytes([0, way, 200, 7, 1, way, 30, 255])


def values(data: bytes) -> None:
    """The value of a record, in the format that the first byte names; what is read is written and read again."""
    if not data:
        return
    kind, name, form = _FORMS[data[0] % len(_FORMS)]
    headers, reader = [("content-type", form.content_type)], reader_of(kind, "avro" if name == "json" else name)
    try:
        event = read_event(_KEY, data[1:], headers, reader)
    except RecordRejected:
        return
    again = RecordWriter(dict.fromkeys(EVENTS, "t")).write(event)
    assert read_event(again.key, again.value) == event


_FORMS = [
    (kind, name, JSON if name == "json" else value_format(name, kind, 1))
    for kind in EVENTS
    for name in ("json", *FORMATS)
]


def value_seeds() -> Iterator[bytes]:
    """One value of every kind in every format."""
    for number, (kind, _, form) in enumerate(_FORMS):
        writer = RecordWriter(dict.fromkeys(EVENTS, "t"), {kind: form})
        yield bytes([number]) + writer.write(EVENTS[kind]).value


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], Iterator[bytes]]]] = {
    "adapters": (adapters, adapter_seeds),
    "spill": (spill, spill_seeds),
    "values": (values, value_seeds),
}
