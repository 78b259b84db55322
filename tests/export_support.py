"""Messages as from the client library, without a broker."""


class Message:
    """A message as from the client library."""

    def __init__(self, topic: str, key: bytes | None, value: bytes | None, offset: int = 0, time_ms: int = 10) -> None:
        self._said = (topic, key, value, offset, (1, time_ms))

    def topic(self) -> str:
        return self._said[0]

    def key(self) -> bytes | None:
        return self._said[1]

    def value(self) -> bytes | None:
        return self._said[2]

    def offset(self) -> int:
        return self._said[3]

    def timestamp(self) -> tuple[int, int]:
        return self._said[4]

    def partition(self) -> int:
        return 0

    def headers(self) -> list[tuple[str, bytes]]:
        return []
