"""The Kafka that is inside librdkafka: real ports, faults on demand, no Java; through ctypes on the wheel's copy.

https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka_mock.h. It knows no CreateTopics: make topics here.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import confluent_kafka

# https://kafka.apache.org/protocol#protocol_api_keys
PRODUCE, FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, OFFSET_FETCH, HEARTBEAT, INIT_PRODUCER_ID = (
    0,
    1,
    2,
    3,
    8,
    9,
    12,
    22,
)

_PRODUCER = 0


def _library() -> ctypes.CDLL:
    folder = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    library = ctypes.CDLL(str(next(folder.glob("librdkafka*"))))
    for name, result, *arguments in (
        ("rd_kafka_conf_new", ctypes.c_void_p),
        (
            "rd_kafka_conf_set",
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_char_p,
            ctypes.c_char_p,
            ctypes.c_size_t,
        ),
        ("rd_kafka_new", ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t),
        ("rd_kafka_destroy", None, ctypes.c_void_p),
        ("rd_kafka_mock_cluster_new", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int),
        ("rd_kafka_mock_cluster_destroy", None, ctypes.c_void_p),
        ("rd_kafka_mock_cluster_bootstraps", ctypes.c_char_p, ctypes.c_void_p),
        ("rd_kafka_mock_topic_create", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int),
        ("rd_kafka_mock_topic_set_error", None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, ctypes.c_void_p, ctypes.c_int32),
        ("rd_kafka_mock_broker_set_down", ctypes.c_int, ctypes.c_void_p, ctypes.c_int32),
        ("rd_kafka_mock_broker_set_up", ctypes.c_int, ctypes.c_void_p, ctypes.c_int32),
        ("rd_kafka_mock_broker_set_rtt", ctypes.c_int, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int),
        (
            "rd_kafka_mock_partition_set_leader",
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_char_p,
            ctypes.c_int32,
            ctypes.c_int32,
        ),
        (
            "rd_kafka_mock_push_request_errors_array",
            None,
            ctypes.c_void_p,
            ctypes.c_int16,
            ctypes.c_size_t,
            ctypes.POINTER(ctypes.c_int),
        ),
        ("rd_kafka_mock_clear_request_errors", None, ctypes.c_void_p, ctypes.c_int16),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class MockCluster:
    """A mock cluster with brokers 1 to *brokers*. What it holds is gone with it.

    Its controller is none of them (findings/librdkafka-mock-controller.sh), so admin requests that need one time out.
    """

    def __init__(self, brokers: int = 1) -> None:
        self._library = _library()
        words = ctypes.create_string_buffer(512)
        settings = self._library.rd_kafka_conf_new()
        assert self._library.rd_kafka_conf_set(settings, b"log_level", b"0", words, len(words)) == 0, words.value
        self._client = self._library.rd_kafka_new(_PRODUCER, settings, words, len(words))
        assert self._client, words.value
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        assert self._cluster
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self._brokers = range(1, brokers + 1)
        self.bootstrap: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._client)

    def create_topic(self, name: str, partitions: int = 4, replication: int = 1) -> None:
        """Make a topic."""
        self._check(self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, replication))

    def topic_error(self, name: str, code: int) -> None:
        """Answer every request about a topic with *code* from now on; 0 ends that."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), code)

    def push_request_errors(self, api: int, *codes: int) -> None:
        """Answer the next requests of *api* with these codes, one each; -195 closes the connection instead."""
        array = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, api, len(codes), array)

    def clear_request_errors(self, api: int) -> None:
        """Forget the codes that were pushed and not used."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, api)

    def set_round_trip(self, milliseconds: int) -> None:
        """Make every broker answer so late."""
        for broker in self._brokers:
            self._check(self._library.rd_kafka_mock_broker_set_rtt(self._cluster, broker, milliseconds))

    def set_leader(self, topic: str, partition: int, broker: int) -> None:
        """Move a partition to another broker; -1 leaves it without a leader."""
        self._check(self._library.rd_kafka_mock_partition_set_leader(self._cluster, topic.encode(), partition, broker))

    def set_down(self, *brokers: int) -> None:
        """Close the connections of these brokers, or of all, and accept none."""
        for broker in brokers or self._brokers:
            self._check(self._library.rd_kafka_mock_broker_set_down(self._cluster, broker))

    def set_up(self, *brokers: int) -> None:
        """Let these brokers, or all, answer again."""
        for broker in brokers or self._brokers:
            self._check(self._library.rd_kafka_mock_broker_set_up(self._cluster, broker))

    @contextmanager
    def down(self, *brokers: int) -> Iterator[None]:
        """Keep brokers down for the length of a block."""
        self.set_down(*brokers)
        try:
            yield
        finally:
            self.set_up(*brokers)

    @staticmethod
    def _check(code: int) -> None:
        assert code == 0, f"mock cluster: error {code}"
