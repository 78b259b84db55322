"""A producer that Kafka does not let in is replaced ever more rarely, or as soon as its files fit."""

from tickwire.config.kafka_config import KafkaConfig
from tickwire.kafka.producing.readmission import Readmission


def test_refused_log_ins_come_ever_more_rarely_and_begin_anew_after_a_calm() -> None:
    readmission = Readmission(KafkaConfig())
    begun = readmission._begun_at
    assert [readmission.wait(begun + 1) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert readmission.wait(begun + 61) == 1
