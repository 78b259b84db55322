"""Every error this package raises on purpose; those of a schema registry are in :mod:`tickwire.registry_errors`.

Each says in one sentence what is wrong, where, what was expected and what to do. ``retryable`` decides whether trying
again may help; ``exit_code`` is what the command line ends with: 2 for wrong usage, 1 for trouble at run time.
"""

from collections.abc import Sequence
from difflib import get_close_matches


def hint(closest: Sequence[str]) -> str:
    """Name the *closest* names, as a part of a sentence; empty where there are none."""
    return f"; the closest {'is' if len(closest) == 1 else 'are'} {', '.join(closest)}" if closest else ""


def near(name: str, known: Sequence[str]) -> str:
    """Hint at those of the *known* names that are like *name*."""
    return hint(get_close_matches(name.lower(), known))


class TickwireError(Exception):
    """Base of every error raised on purpose by this package.

    Python keeps what an error is made of in ``args``, whether its class has an ``__init__`` of its own or not.
    """

    retryable = False
    exit_code = 1


class UsageError(TickwireError):
    """What the user asked for cannot be done as written: a wrong name, number, address or combination."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting has a value that does not fit, alone or together with another one."""


class InvalidSetting(SettingsError):
    """One setting has a value that does not fit. ``value`` is written out for reading and holds no secret."""

    def __init__(self, variable: str, value: str, expected: str, origin: str = "") -> None:
        self.variable, self.value, self.expected, self.origin = variable, value, expected, origin

    def __str__(self) -> str:
        where = f" ({self.origin})" if self.origin else ""
        return (
            f"{self.variable} should be {self.expected}, but is {self.value}{where}: "
            "correct it, or remove it to use the default."
        )


class UnknownExchange(UsageError):
    """No exchange module has this name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        return f"Unknown exchange {self.name!r}{near(self.name, self.known)}: expected one of {', '.join(self.known)}."


class UnknownChannel(UsageError):
    """The exchange does not offer this channel."""

    def __init__(self, channel: str, exchange: str, known: Sequence[str]) -> None:
        self.channel, self.exchange, self.known = channel, exchange, tuple(known)

    def __str__(self) -> str:
        wrong = f"{self.channel!r} for {self.exchange}{near(self.channel, self.known)}"
        return f"Unknown channel {wrong}: expected one of {', '.join(self.known)}."


class UnknownSymbol(UsageError):
    """The exchange does not list this symbol."""

    def __init__(self, symbol: str, exchange: str, closest: Sequence[str]) -> None:
        self.symbol, self.exchange, self.closest = symbol, exchange, tuple(closest)
        self.named_by = "FEED_SYMBOLS or --symbols"

    def __str__(self) -> str:
        return f"{self.exchange} does not list the symbol {self.symbol!r}{hint(self.closest)}: check {self.named_by}."


class UnfitPattern(UnknownSymbol):
    """A pattern takes no symbol of the exchange, or more than one feed can read: *why* says which."""

    def __init__(self, pattern: str, exchange: str, why: str) -> None:
        super().__init__(pattern, exchange, ())
        self.why = why

    def __str__(self) -> str:
        return f"On {self.exchange} the pattern {self.symbol!r} matches {self.why}: check {self.named_by}."


class UnclearSymbol(UnknownSymbol):
    """There is no listing to find this name in, and where its base ends would be a guess."""

    def __init__(self, symbol: str, exchange: str) -> None:
        super().__init__(symbol, exchange, ())

    def __str__(self) -> str:
        return (
            f"The listing of {self.exchange} cannot be fetched now, and without it {self.symbol!r} cannot be split "
            f"into base and quote: write it as BASE-QUOTE, such as BTC-USDT, in {self.named_by}."
        )


class UnknownContractSize(UnknownSymbol):
    """There is no listing to read the size of this contract from, without which its sizes mean nothing."""

    def __init__(self, symbol: str, exchange: str) -> None:
        super().__init__(symbol, exchange, ())

    def __str__(self) -> str:
        return (
            f"The listing of {self.exchange} cannot be fetched now, and only the listing has the contract size of "
            f"{self.symbol!r}: start again when it is available."
        )


class FeedError(TickwireError):
    """The exchange side failed; connecting again may help."""

    retryable = True


class NotWanted(FeedError):
    """A frame is about a symbol that was given up on its connection: it is skipped, and nothing is wrong."""


class FrameRejected(FeedError):
    """A frame or body is not what the exchange documents; it is counted and skipped."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return f"frame rejected ({self.reason}): {self.detail}"


class ConnectionLost(FeedError):
    """A connection could not be opened or has to be given up. ``reason`` is one of ``metrics.RECONNECT_REASONS``."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail

    def __str__(self) -> str:
        return f"connection lost ({self.reason}): {self.detail}"


class RequestRefused(FeedError):
    """The exchange answered a REST request in a way that asking again will not change."""

    retryable = False

    def __init__(self, path: str, status: int, answer: str) -> None:
        self.path, self.status, self.answer = path, status, answer

    def __str__(self) -> str:
        return f"{self.path!r} was answered with status {self.status}: {self.answer!r}"


class SubscriptionRefused(FeedError):
    """The exchange answered a subscription with an error."""

    retryable = False

    def __init__(self, exchange: str, symbol: str, channel: str, answer: str) -> None:
        self.exchange, self.symbol, self.channel, self.answer = exchange, symbol, channel, answer

    def __str__(self) -> str:
        return (
            f"{self.exchange} refused to subscribe {self.symbol} to {self.channel}: it answered {self.answer!r}; "
            "check that the symbol trades there and leave it out if not."
        )


class KafkaMissing(UsageError):
    """The confluent-kafka library is not installed."""

    def __str__(self) -> str:
        return "The library confluent-kafka is not installed: install it with `pip install 'confluent-kafka>=2.15,<3'`."


class KafkaDisabled(UsageError):
    """A Kafka command was called although KAFKA_ENABLED is false."""

    def __str__(self) -> str:
        return "Kafka is switched off (KAFKA_ENABLED is false): remove that setting or set it to true to run this."


class KafkaFailed(TickwireError):
    """Kafka cannot be reached, refuses us, or failed for good."""


class LoginRefused(KafkaFailed):
    """Kafka refuses the user or the password: frequent attempts may lock the account."""


class DeadLetterNotWritten(KafkaFailed):
    """The dead-letter topic did not take a record, whose offset is held. *retryable*: it may do so later."""

    def __init__(self, dlq_topic: str, source: tuple[str, int, int], cause: str, retryable: bool) -> None:
        self.dlq_topic, self.source, self.cause, self.retryable = dlq_topic, source, cause, retryable

    def __str__(self) -> str:
        topic, partition, offset = self.source
        return (
            f"The dead letter of {topic} partition {partition} offset {offset} could not be written to "
            f"{self.dlq_topic} ({self.cause}); its offset is not committed: make that topic writable and run again."
        )


class OffsetLost(KafkaFailed):
    """The next offset of a partition is not in Kafka."""

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        self.topic, self.partition, self.offset = topic, partition, offset

    def __str__(self) -> str:
        return (
            f"The next offset of {self.topic} partition {self.partition} ({self.offset}) is not in Kafka: its "
            "retention removed it, or the topic was created anew; run with --from beginning or "
            "KAFKA_ON_OFFSET_LOST=earliest to continue with the records that are there."
        )


class NoHome(UsageError):
    """Nothing says where this user's files are kept."""

    def __init__(self, variable: str, instead: str = "") -> None:
        self.variable, self.instead = variable, instead

    def __str__(self) -> str:
        return (
            "This user has no home folder (HOME is not set, and the user is unknown to this system): "
            f"name a folder for tickwire's files with {self.instead}{self.variable} or HOME."
        )


class SpillUnusable(UsageError):
    """The spill folder cannot be opened: its place, its rights, its owner or its format is in the way."""

    def __init__(self, folder: str, reason: str, remedy: str = "make it a folder that this user can write to") -> None:
        self.folder, self.reason, self.remedy = folder, reason, remedy

    def __str__(self) -> str:
        return (
            f"The spill folder {self.folder} cannot be used ({self.reason}): {self.remedy}, "
            "or name another one with KAFKA_SPILL_DIR."
        )


class SpillInUse(SpillUnusable):
    """Somebody else has the spill folder; *owner* is the process's number, or ``unknown``."""

    def __init__(self, folder: str, owner: str, what: str = "is using it") -> None:
        super().__init__(folder, f"process {owner} {what}", "stop that process")
        self.owner = owner


class SpillOfAnotherCluster(UsageError):
    """Records wait on disk for another Kafka cluster than the one that is reached."""

    def __init__(self, folder: str, theirs: str, ours: str) -> None:
        self.folder, self.theirs, self.ours = folder, theirs, ours

    def __str__(self) -> str:
        return (
            f"Records that wait in {self.folder} are for the Kafka cluster {self.theirs}, not for {self.ours}: "
            "name that cluster's brokers with KAFKA_BROKERS, or see `tickwire spill list` and decide with "
            "`tickwire spill send` or `tickwire spill drop`."
        )


class SpillFull(TickwireError):
    """The spill has no room for this record; acknowledged segments make room. ``reason`` is ``budget`` or ``disk``."""

    retryable = True

    def __init__(self, folder: str, reason: str) -> None:
        self.folder, self.reason = folder, reason

    def __str__(self) -> str:
        if self.reason == "disk":
            return f"The disk of the spill folder {self.folder} is full: free space on it."
        return f"The spill folder {self.folder} has reached its limit: raise KAFKA_SPILL_MAX_BYTES or bring Kafka back."


class SpillFailed(TickwireError):
    """Reading or writing the spill failed, other than for want of room."""

    def __init__(self, folder: str, cause: str) -> None:
        self.folder, self.cause = folder, cause

    def __str__(self) -> str:
        return f"The spill folder {self.folder} cannot be read or written ({self.cause}): check its disk."


class RecordRejected(TickwireError):
    """A record cannot be read or processed and never will be: poison.

    ``error_type`` is one of ``deserialize``, ``schema``, ``validate``, ``process``.
    """

    def __init__(self, error_type: str, detail: str) -> None:
        self.error_type, self.detail = error_type, detail

    def __str__(self) -> str:
        return self.detail


class Reject(RecordRejected):
    """Raised by a handler: this record is wrong and trying again cannot help."""

    def __init__(self, detail: str) -> None:
        super().__init__("process", detail)


class TryAgain(TickwireError):
    """Raised by a handler: the record may be fine, but what it needs is not there now."""

    retryable = True


class ProcessingFailed(TickwireError):
    """The consumer stopped at a record that could not be processed; its offset is not committed."""

    def __init__(self, topic: str, partition: int, offset: int, why: str) -> None:
        self.topic, self.partition, self.offset, self.why = topic, partition, offset, why

    def __str__(self) -> str:
        return (
            f"Stopped at {self.topic} partition {self.partition} offset {self.offset}, which could not be processed "
            f"({self.why}); its offset is not committed: fix the handler and run again, "
            "or set KAFKA_DLQ_ENABLED=true to send such records to the dead-letter topic."
        )


class HandlerNotClosed(TickwireError):
    """``close()`` of the handler failed, or did not end in time; every offset was committed before."""

    def __init__(self, why: str) -> None:
        self.why = why

    def __str__(self) -> str:
        return f"close() of the handler {self.why}: check the resources that it had open; offsets were committed."


class TooManyDeadLetters(TickwireError):
    """So many records cannot be processed that the handler is more likely wrong than the data."""

    def __init__(self, topic: str, partition: int, offset: int, count: str, why: str) -> None:
        self.topic, self.partition, self.offset, self.count, self.why = topic, partition, offset, count, why

    def __str__(self) -> str:
        return (
            f"Stopped at {self.topic} partition {self.partition} offset {self.offset} after too many dead letters "
            f"({self.count}; the last: {self.why}); its offset is not committed: fix the handler and run again, "
            "or raise that limit."
        )


class PortTaken(TickwireError):
    """A port we should listen on is in use or may not be opened."""

    def __init__(self, what: str, host: str, port: int, setting: str, cause: str) -> None:
        self.what, self.host, self.port, self.setting, self.cause = what, host, port, setting, cause

    def __str__(self) -> str:
        return (
            f"{self.what} cannot listen on {self.host}:{self.port} ({self.cause}): "
            f"stop what uses it or choose another port with {self.setting}."
        )
