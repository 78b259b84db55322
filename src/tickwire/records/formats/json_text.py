"""JSON: the default format, and the text from which values of other formats are made."""

from collections.abc import Callable

import msgspec

from tickwire.errors import RecordRejected
from tickwire.events.types import MarketEvent
from tickwire.records.kinds import KINDS

_NAMES = " or ".join(kind.name for kind in KINDS).replace(" or ", ", ", len(KINDS) - 2)
_MAX_TEXT = 200  # characters of a decoder's message that are kept

decode_text: Callable[[bytes], MarketEvent] = msgspec.json.Decoder(MarketEvent).decode


def decode_json(value: bytes) -> MarketEvent:
    """Decode a value. Raises :exc:`~tickwire.errors.RecordRejected`."""
    try:
        return decode_text(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise _unreadable(value, e) from None


def convert_fields(fields: dict[str, object], kind: type[MarketEvent]) -> MarketEvent:
    """Make an event of its fields. Raises :exc:`~tickwire.errors.RecordRejected`: ``schema`` where they do not fit."""
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as e:
        raise RecordRejected("schema", f"the value is no {_NAMES} message: {str(e)[:_MAX_TEXT]}") from None


def _unreadable(value: bytes, error: Exception) -> RecordRejected:
    """Tell JSON of another shape from text that is no JSON: the decoder stops at whichever it meets first."""
    try:
        msgspec.json.decode(value)
    except RecursionError:
        return RecordRejected("deserialize", "the value is nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        return RecordRejected("deserialize", f"the value is no JSON: {str(e)[:_MAX_TEXT]}")
    return RecordRejected("schema", f"the value is no {_NAMES} message: {str(error)[:_MAX_TEXT]}")
