"""Every metric, on one screen.

Labels are bounded: topics, types, exchanges and closed sets of reasons, never a symbol, an offset or an error's text
(https://prometheus.io/docs/practices/naming/). Callers bind label values once (``.labels(...)``), outside the path
that runs per message; binding also makes the zero visible.
"""

import threading
from collections.abc import Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.registry import Collector

# Kafka, producer side
MESSAGES_PUBLISHED = Counter(
    "kafka_messages_published", "Records acknowledged by Kafka.", ["topic", "type", "exchange"]
)
DELIVERY_ERRORS = Counter("kafka_delivery_errors", "Records that Kafka refused for good.", ["topic"])
QUEUE_DROPS = Counter("kafka_producer_queue_drops", "Records dropped because the producer's queue was full.", ["topic"])
QUEUE_FULL = Counter("kafka_producer_queue_full", "Times the producer's queue had no room.", ["topic"])
PRODUCER_QUEUE = Gauge("kafka_producer_queue_messages", "Records handed to the producer without a delivery report yet.")
RECORDS = Counter("kafka_records", "Records by outcome.", ["topic", "outcome"])
IN_FLIGHT = Gauge("kafka_records_in_flight", "Records without a final outcome yet.", ["topic"])
PRODUCER_RECREATED = Counter("kafka_producer_recreated", "Producers replaced after a fatal error.", ["reason"])
SPILL_RECORDS = Gauge("kafka_spill_records", "Records that wait on disk.")
SPILL_BYTES = Gauge("kafka_spill_bytes", "Bytes of the files of records that wait on disk.")
SPILL_ROOM = Gauge("kafka_spill_room_bytes", "Bytes that may still be added on disk.")
SPILL_LOST = Counter("kafka_spill_lost", "Records on disk that could not be read any more.")
SPILL_TORN = Counter("kafka_spill_torn", "Records on disk that were cut off, because their end was not written.")
SPILL_CUT = Counter("kafka_spill_cut_bytes", "Bytes of unfinished or damaged records cut off the end of files on disk.")
SPILL_RECOVERED = Counter(
    "kafka_spill_recovered", "Records that an earlier run left on disk, by outcome.", ["topic", "outcome"]
)
OUTAGE = Gauge("kafka_outage_seconds", "Seconds without an acknowledgement although records wait; 0: no outage.")
DELIVERY_SECONDS = Histogram(
    "kafka_producer_delivery_seconds",
    "Seconds from handing a record to the producer until Kafka acknowledged it.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)

# Kafka, consumer side
CONSUMER_COMMITS = Counter("kafka_consumer_commits", "Offset commits that Kafka confirmed.", ["topic"])
CONSUMER_ERRORS = Counter("kafka_consumer_errors", "Records that could not be processed, and client errors.", ["topic"])
CONSUMER_LAG = Gauge("kafka_consumer_lag", "Records between the stored offset and the end.", ["topic", "partition"])
CONSUMER_JOINED = Gauge("kafka_consumer_joined", "Whether this member has got its assignment of partitions.")
CONSUMER_PARTITIONS = Gauge(
    "kafka_consumer_partitions", "Partitions assigned to this member, and those of them that wait.", ["state"]
)
CONSUMER_RECORDS = Counter("kafka_consumer_records", "Records by outcome.", ["topic", "result"])
CONSUMER_SKIPPED = Counter("kafka_consumer_skipped", "Records that retention removed before they were read.", ["topic"])
CONSUMER_RETRIES = Counter("kafka_consumer_retries", "Attempts of a handler that failed and are repeated.", ["topic"])
SCHEMA_REGISTRY_UP = Gauge(
    "kafka_schema_registry_up", "Whether the schema registry answered the last request.", ["registry"]
)
BOOK_SEQ_JUMPS = Counter("kafka_consumer_book_seq_jumps", "Breaks in book_seq seen by the default handler.")
DLQ_PUBLISHED = Counter(
    "kafka_dlq_published", "Records acknowledged by the dead-letter topic.", ["dlq_topic", "source_topic", "error_type"]
)

# Processes that share a feed
WORKERS = Gauge("feed_workers", "Worker processes by state; silent ones do not answer.", ["state"])
WORKER_RESTARTS = Counter("feed_worker_restarts", "Worker processes started again after they died.", ["worker"])

# Processes that divide the symbols among them
GROUP_SHARES = Gauge("feed_group_shares", "Shares of the symbols that this member of a group serves.", ["group"])
GROUP_CHANGES = Counter("feed_group_changes", "Shares that this member got, handed over or lost.", ["group", "how"])
GROUP_CONFIRMED = Gauge(
    "feed_group_confirmed", "Whether Kafka has recently confirmed the shares of this member.", ["group"]
)

# Feeds
FEEDS = Gauge("feed_running", "Feeds that run: started and not ended.", ["exchange"])
FRAMES_RECEIVED = Counter("feed_frames_received", "Frames taken from sockets.", ["exchange"])
SHORT_WAY_FRAMES = Counter(
    "feed_short_way_frames", "Frames that took the fast path of compiled code, past the adapter.", ["exchange"]
)
FRAMES_REJECTED = Counter("feed_frames_rejected", "Frames skipped, by reason.", ["exchange", "reason"])
EVENTS = Counter("feed_events", "Market events handed to callbacks.", ["exchange", "type"])
GAPS = Counter("feed_gaps", "Breaks in an exchange's sequence.", ["exchange"])
TRADE_GAPS = Counter("feed_trade_gaps", "Breaks in the numbers of a symbol's trades.", ["exchange"])
RESYNCS = Counter("feed_resyncs", "Order books started again, by reason.", ["exchange", "reason"])
RECONNECTS = Counter("feed_reconnects", "Connections opened again, by reason.", ["exchange", "reason"])
BOOKS = Gauge("feed_books", "Order books by state.", ["exchange", "state"])
SILENCES = Counter("feed_silences", "Subscriptions restarted after an unusually long silence.", ["exchange", "channel"])
SILENT_BOOKS = Gauge("feed_silent_books", "Order books that have not changed since such a silence.", ["exchange"])
LAST_FRAME_AGE = Gauge(
    "feed_last_frame_age_seconds", "Seconds since the last frame of the exchange's quietest connection.", ["exchange"]
)
SYMBOL_CHANGES = Counter(
    "feed_symbol_changes",
    "Symbols that were added or removed while the feed ran, or vanished from the listing.",
    ["exchange", "change"],
)
CALLBACK_ERRORS = Counter("feed_callback_errors", "Exceptions raised by callbacks.", ["exchange"])

REJECT_REASONS = ("malformed", "unknown", "oversize", "binary")
INVALID_REASONS = ("gap", "checksum", "crossed", "disconnect", "stale", "overflow", "moved")
RECONNECT_REASONS = ("closed", "connect", "silent", "planned", "protocol", "subscribe")
CHANGES = ("added", "removed", "vanished")
SHARE_CHANGES = ("given", "handed_over", "lost")
OUTCOMES = ("acknowledged", "conflated", "dropped", "failed", "spilled")

EXPORT = threading.Lock()  # held while metrics that must agree are updated, and while they are read


class _Together(Collector):
    def collect(self) -> Iterable[Metric]:
        with EXPORT:
            found = list(REGISTRY.collect())
        for metric in found:  # without the _created samples, which nobody uses and which are a third of the page
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
        return found


def consistent_registry() -> CollectorRegistry:
    """Every metric, for an exporter; all values of one scrape are from the same moment."""
    registry = CollectorRegistry(auto_describe=True)
    registry.register(_Together())
    return registry
