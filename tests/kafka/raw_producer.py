"""A record whose header has a name of any bytes: brokers keep it, and Python's clients refuse to write one."""

import ctypes
from pathlib import Path

import confluent_kafka

# enum rd_kafka_vtype_t, https://github.com/confluentinc/librdkafka/blob/master/src/rdkafka.h
_END, _TOPIC, _VALUE, _KEY, _FLAGS, _HEADER = 0, 1, 4, 5, 7, 9
_COPY = 2


def produce(bootstrap: str, topic: str, value: bytes, header_name: bytes) -> None:
    """Write one record with the key ``k`` and one header, and wait until it is there."""
    folder = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    library = ctypes.CDLL(str(next(folder.glob("librdkafka*"))))
    library.rd_kafka_conf_new.restype = library.rd_kafka_new.restype = ctypes.c_void_p
    words = ctypes.create_string_buffer(512)
    settings = ctypes.c_void_p(library.rd_kafka_conf_new())
    name, size = ctypes.c_char_p(b"bootstrap.servers"), ctypes.c_size_t(len(words))
    assert library.rd_kafka_conf_set(settings, name, ctypes.c_char_p(bootstrap.encode()), words, size) == 0, words.value
    client = ctypes.c_void_p(library.rd_kafka_new(0, settings, words, size))
    try:
        error = library.rd_kafka_producev(
            client,
            *(ctypes.c_int(_TOPIC), ctypes.c_char_p(topic.encode())),
            *(ctypes.c_int(_KEY), ctypes.c_char_p(b"k"), ctypes.c_size_t(1)),
            *(ctypes.c_int(_VALUE), ctypes.c_char_p(value), ctypes.c_size_t(len(value))),
            *(ctypes.c_int(_FLAGS), ctypes.c_int(_COPY)),
            *(ctypes.c_int(_HEADER), ctypes.c_char_p(header_name), ctypes.c_char_p(b"v"), ctypes.c_ssize_t(1)),
            ctypes.c_int(_END),
        )
        assert error == 0, error
        assert library.rd_kafka_flush(client, 20_000) == 0
    finally:
        library.rd_kafka_destroy(client)
