"""Parses times that users write."""

from datetime import UTC, datetime

from tickwire.errors import UsageError


def parse_time(option: str, text: str, instead: str = "") -> int:
    """Read Unix milliseconds, or an ISO 8601 time, which is UTC unless it says otherwise, as Unix milliseconds.

    *instead* names, for the error, the words that *option* takes instead of a time.
    Raises :exc:`~tickwire.errors.UsageError`.
    """
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        time = datetime.fromisoformat(text)
        milliseconds = int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        milliseconds = -1
    if milliseconds < 0:
        raise UsageError(
            f"{option} {text!r} is no time: expected {instead}an ISO 8601 time such as 2026-01-31T12:00:00Z, "
            "or Unix milliseconds."
        )
    return milliseconds
