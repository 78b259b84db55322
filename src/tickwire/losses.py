"""Which outcomes are losses: the one rule for the last line of a run and for its exit code. Pure."""

from collections.abc import Collection, Mapping
from typing import Any

from tickwire.config.kafka_config import KafkaConfig
from tickwire.records.kinds import KINDS

_DROPPING = frozenset({"drop", "invalidate"})  # policies for a full queue that lose records


def droppable(kafka: KafkaConfig) -> list[str]:
    """The topics that lose records by the user's own choice while the queue is full."""
    return [getattr(kafka, kind.topic) for kind in KINDS if getattr(kafka, kind.when_full) in _DROPPING]


def losses(accounting: Mapping[str, Any], given_up: Collection[str] = (), *, at_once: bool = False) -> list[str]:
    """A sentence for each way in which records were lost although the settings did not allow it.

    *given_up* are the topics whose records a setting allows to drop. *at_once*: the run ends at the second signal, when
    Kafka may still store what is in flight.
    """
    recovered = accounting["recovered"]
    words = []
    if lost := accounting["in_flight"]:
        why = "the second signal left no time to write them to disk" if at_once else "the disk had no room for them"
        words.append(f"{lost} records are LOST: Kafka did not acknowledge them, and {why}.")
    if unsettled := accounting.get("unsettled"):
        words.append(
            f"{unsettled} records were with workers that died: those in memory are LOST unless Kafka has them, "
            "those on disk were found by the worker that followed."
        )
    if failed := accounting["failed"] + recovered.get("failed", 0):
        words.append(f"{failed} records are LOST: Kafka refused them for good; the log says why.")
    topics = accounting["topics"].items()
    if dropped := sum(account.get("dropped", 0) for topic, account in topics if topic not in given_up):
        words.append(f"{dropped} records are LOST: there was no room for them, or one before them was lost.")
    if damaged := recovered.get("lost", 0) + recovered.get("dropped", 0):
        words.append(f"{damaged} records of an earlier run are LOST: damaged on disk, or after one that was.")
    return words


def last_line(accounting: Mapping[str, Any], given_up: Collection[str] = (), *, at_once: bool = False) -> str:
    """Say in one line what was lost and what waits on disk."""
    words = losses(accounting, given_up, at_once=at_once)
    if on_disk := accounting["spilled"] + accounting["recovered"].get("waiting", 0):
        words.append(f"{on_disk} records wait in {accounting['spill_folder']} and are sent first by the next start.")
    return " ".join(words) or "Nothing remains to be delivered."
