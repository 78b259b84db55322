"""The producer, and its replacement when it is lost. Records without a delivery report are kept until they have one.

Every record that waited passes here, so a book's hole opens and closes here: behind a lost record of a book only an
``invalid`` and the snapshot that mends it are handed over.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator

from confluent_kafka import KafkaError, KafkaException

from tickwire import metrics
from tickwire.config.kafka_config import KafkaConfig
from tickwire.errors import KafkaFailed, TickwireError
from tickwire.kafka import codes
from tickwire.kafka.causes import is_for_all, said, stays
from tickwire.kafka.clients import producer_config
from tickwire.kafka.producing.denied_topics import DeniedTopics
from tickwire.kafka.producing.in_flight import IN_MEMORY, InFlight, InFlightTable
from tickwire.kafka.producing.ledger import Hole, Lane
from tickwire.kafka.producing.readmission import Readmission
from tickwire.kafka.producing.record_producer import NoProducer, RecordProducer, make_producer
from tickwire.kafka.producing.refused_batches import KafkasClock, RefusedBatches, at_present, is_from_the_future
from tickwire.records.codec import Record

logger = logging.getLogger(__name__)

_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 10.0
_LAST_REPORTS_S = 2.0  # to wait for reports when a batch was refused: records without a report are sent twice
_ANSWER_S = 1.0
_CALM_S = 60.0  # after this long without a loss, the next one counts as the first
_MOST_LOSSES = 12  # in a row, over about a minute
_MOST_BY_RECORD = 4  # limits the wait to a second
_NO_LOGIN, _NEW_CREDENTIALS = "REFUSED_LOGIN", "NEW_CREDENTIALS"

# Without it the library continues behind a refused batch before we learn of the refusal. With it, a refused batch ends
# the producer, and we decide what is sent next.
_GAPLESS = {"enable.gapless.guarantee": True}
# For records of which one may be at fault: one at a time of each lane.
_ONE_BY_ONE = {"batch.num.messages": 1, "linger.ms": 0}


class ProducerLink:
    """Hands records to a producer, in order. Before :meth:`open` and between two producers it has no room.

    *stored* is called with acknowledged records that are on disk, *refused* with those that can never be stored,
    *dropped* with those that must not follow a hole or another producer's, *failed* once, when publishing ends for
    good, *denied* with a topic that we may not write to now. *sizes* says why a topic cannot take a large record.
    """

    def __init__(
        self,
        config: KafkaConfig,
        *,
        stored: Callable[[InFlight], None],
        refused: Callable[[InFlight, KafkaError], None],
        dropped: Callable[[InFlight], None],
        failed: Callable[[TickwireError], None],
        heard: Callable[[KafkaError], None],
        denied: Callable[[str], None],
        sizes: Callable[[Record], KafkaError | None],
    ) -> None:
        self._config = config
        self._producer: RecordProducer | NoProducer = NoProducer()
        self.opened = False  # whether a producer was ever made
        self.denied, self._too_large = DeniedTopics(denied), sizes
        self._stored, self._refused, self._dropped, self._give_up, self._heard = stored, refused, dropped, failed, heard
        self.flights = InFlightTable(self._acknowledged, self._not_delivered)
        self._to_send_again: deque[InFlight] = deque()  # of a lost producer; sent before all others
        self._refusals = RefusedBatches(config.batch_size)
        self._clock = KafkasClock()
        self._one_by_one = 0  # so many at the head of `_to_send_again` are sent one by one
        self._careful = False  # the producer is one for sending one by one
        self._busy: set[Lane] = set()  # lanes with a record in flight in that producer
        self._queue_bytes = config.queue_max_bytes // 1024 * 1024  # as the library rounds it
        self._error: TickwireError | None = None
        self._lost: str | None = None  # why
        self._losses = 0
        self._lost_at = self._replace_at = 0.0
        self._cause = ""
        self._readmission = Readmission(config)
        self._unsent = 0  # how many reports of a lost producer said that it did not send a record
        self._full_at = 0  # how many records waited when the producer was full; 0: it was not

    def open(self) -> None:
        """Make the producer, which connects in the background. Raises :exc:`~tickwire.errors.KafkaFailed`."""
        self._careful = self._one_by_one > 0
        more = _ONE_BY_ONE if self._careful else _GAPLESS | {"batch.size": self._refusals.batch_size}
        self._readmission.begun()
        self._producer = make_producer(producer_config(self._config) | more | {"error_cb": self._note_trouble})
        self.flights.produce = self._producer.produce
        self.flights.ready, self.opened = not self._careful, True

    @property
    def busy(self) -> int:
        """How many records have no delivery report."""
        return len(self.flights) + len(self._to_send_again) + len(self.denied.held)

    @property
    def queued(self) -> int:
        """How many records are in the producer's queue."""
        return len(self._producer)

    @property
    def roomy(self) -> bool:
        """Whether there is much room: the queue was not full, or is half empty since."""
        if self.busy * 2 <= self._full_at:
            self._full_at = 0
        return self.flights.ready and not self._full_at

    def entries(self) -> Iterator[InFlight]:
        """All records without a delivery report, in order."""
        yield from self.flights.entries()
        yield from self._to_send_again
        yield from self.denied.held

    def poll(self) -> None:
        """Serve delivery reports; replace a lost producer when due."""
        if not self.opened:
            return
        self.flights.sampling = True  # one sample a tick is enough for a histogram
        self._serve(self._producer.poll, 0.0)
        self._go_on()

    def flush(self, seconds: float) -> None:
        """Do the same for at most *seconds*, during which the producer does not linger."""
        if self.opened:
            self._serve(self._producer.flush, seconds)
            self._go_on()

    def close(self) -> None:
        """Stop sending: unacknowledged records stay with us, though some may be on the network already."""
        self.flights.ready = False
        self._producer.purge()
        self._serve(self._producer.flush, 0.1)

    def send(self, entry: InFlight) -> bool:
        """Hand one record over, or end it as dropped or refused; False if there is no room."""
        return self.flights.ready and entry.record.topic not in self.denied and self._pass(entry)

    def allow(self, topic: str) -> None:
        """Send the records of a topic that we may write to again."""
        self._to_send_again.extend(self.denied.allow(topic))

    def partitions(self, topic: str) -> int | None:
        """Ask how many partitions a topic has; None without an answer. Blocks; may be called in any thread."""
        try:
            return self._producer.partitions(topic, _ANSWER_S) or None
        except KafkaException:  # the outage is logged elsewhere
            return None

    def not_taken(self, entry: InFlight, error: Exception) -> bool:
        """Handle a record that the producer did not take; False if it may take it later."""
        if isinstance(error, OverflowError):
            return self._pass(entry)
        if isinstance(error, BufferError):
            if self._can_fit(entry):
                self._full_at = self.busy
                return False
            self._refused(entry, KafkaError(codes.RECORD_TOO_LARGE, "larger than KAFKA_QUEUE_MAX_BYTES"))
            return True
        if not isinstance(error, KafkaException):
            raise error
        cause: KafkaError = error.args[0]
        if codes.producer_lost(cause):
            self._lose(cause.name(), said(error))
            return False
        if cause.code() == codes.TOPIC_DENIED:
            self._deny(entry.record.topic, cause)
            return False
        self._refused(entry, cause)
        return True

    def _can_fit(self, entry: InFlight) -> bool:
        return len(entry.record.value) <= self._queue_bytes and len(self._producer) > 0

    def _pass(self, entry: InFlight) -> bool:
        lane = entry.lane
        if lane.gone or (lane.hole and not entry.record.may_follow_hole):
            self._dropped(entry)
            return True
        if len(entry.record.value) > self.flights.large and (error := self._too_large(entry.record)):
            self._refused(entry, error)
            return True
        closes_hole = lane.hole and entry.record.action == "snapshot"
        if is_from_the_future(entry):
            entry = at_present(entry)
        try:
            self.flights.hand_over(entry)
        except (BufferError, KafkaException) as e:
            return self.not_taken(entry, e)
        if closes_hole:
            lane.hole = Hole.NONE
        return True

    def _acknowledged(self, entry: InFlight, latency: float | None) -> None:
        """Take the report of a record from disk, or a sampled one. It is already counted."""
        try:
            if self._careful or len(self._refusals):
                self._note_stored(entry)
            if entry.place != IN_MEMORY:
                self._stored(entry)
            else:
                metrics.DELIVERY_SECONDS.observe(latency or 0.0)
        except Exception as e:  # raised here, it would surface in whatever call serves the next report
            logger.exception("producer.report_failed")
            self._fail(repr(e))

    def _not_delivered(self, entry: InFlight, error: KafkaError) -> None:
        try:
            code = error.code()
            if codes.producer_lost(error):
                self._unsent += 1
                self._lose(error.name(), said(error))
            elif code in codes.PURGED or (self._lost is not None and code in codes.WOULD_RETRY):
                self._unsent += 1
            elif code == codes.TOPIC_DENIED:
                self._unsent += 1
                self._deny(entry.record.topic, error)
            elif code in codes.BATCH_REFUSED and not self._careful:
                self._unsent += 1
                self._refusals.add(entry, error)
                self.flights.sampling = True
            else:
                self.flights.end(entry)
                self._busy.discard(entry.lane)
                if code == codes.TIME_REFUSED:
                    self._clock.refused(error)
                    self._to_send_again.appendleft(entry)
                    self._one_by_one += 1
                else:
                    self._refused(entry, error)
        except Exception as e:  # as above
            logger.exception("producer.report_failed")
            self._fail(repr(e))

    def _deny(self, topic: str, error: KafkaError) -> None:
        """Hold the records of a topic; those in flight are taken back, so that none overtakes them."""
        self.denied.add(topic, said(error))
        self._lose(error.name(), said(error))

    def _note_trouble(self, error: KafkaError) -> None:
        """Take an error of the client's connections; a client whose log-in is refused is replaced."""
        self._heard(error)
        if error.code() == codes.REFUSED_LOGIN and not is_for_all(error):
            self._lose(_NO_LOGIN, said(error))
        elif stays(error):
            self._readmission.doubtful = True

    def _note_stored(self, entry: InFlight) -> None:
        """Note a stored record while others are in doubt."""
        self.flights.sampling = True
        if not self._careful:
            self._refusals.acknowledged(entry)
            return
        self._busy.discard(entry.lane)
        if self._clock.disagrees:
            self._clock.agreed()
            for i in range(self._one_by_one):  # the time was the only cause
                self._to_send_again[i] = at_present(self._to_send_again[i])
            self._one_by_one = 0

    def _serve(self, call: Callable[[float], object], seconds: float) -> None:
        """Let the library run our callbacks; fatal errors are raised only here."""
        try:
            call(seconds)
        except KafkaException as e:
            self._lose(e.args[0].name(), said(e))
        except SystemError as e:  # a fatal error during a callback
            self._lose("_FATAL", str(e.__cause__ or e))

    def _lose(self, reason: str, cause: str) -> None:
        """Note that this producer must be replaced."""
        if self._lost is not None or self._error is not None:
            return
        self.flights.ready = False
        self._lost = reason
        # It must not continue behind the hole; requests already sent may still be acknowledged.
        self._producer.purge(in_flight=False)
        now = time.monotonic()
        self._losses = 1 if now - self._lost_at > _CALM_S else self._losses + 1
        self._lost_at = now
        self._cause = f"{reason}: {cause}"
        self._replace_at = now + min(_FIRST_WAIT_S * 2 ** (self._losses - 1), _LONGEST_WAIT_S)
        if reason == _NO_LOGIN:
            self._replace_at = now + self._readmission.wait(now)
        if codes.NOWHERE_ALLOWED in cause:
            self.denied.add_all({entry.record.topic for entry in self.entries()}, cause)
        logger.error("producer.lost reason=%s cause=%r in_flight=%d", reason, cause, self.busy)

    def _go_on(self) -> None:
        if self._error is None and self._lost is None and len(self._refusals):
            self._lose("REFUSED", "it is not to go on behind a batch that was refused")
        self._look_at_credentials()
        if self._error is None and self._lost is not None:
            if self._lost == _NO_LOGIN:
                self._let_go()  # else it would log in again twice a second while we wait
            if self._is_over():
                self._replace()
        elif self._error is None and self._careful and not self._one_by_one and not len(self.flights):
            self._open_next()  # no record is in doubt any more
        self._send_again()
        going = self._lost is None and self._error is None
        self.flights.ready = going and not self._careful and not self._to_send_again

    def _look_at_credentials(self) -> None:
        """If the client's log-in is refused, try the credential files' current content: they are renewed in place."""
        refused = self._lost == _NO_LOGIN
        if self._error is not None or not (self._readmission.doubtful or refused) or not self._readmission.renewed:
            return
        if refused:
            self._replace_at = time.monotonic()
        else:
            self._lose(_NEW_CREDENTIALS, "files of secrets or certificates have changed")

    def _is_over(self) -> bool:
        """Whether the next producer may start; after a refused batch the reports of the others are awaited."""
        now = time.monotonic()
        if self.denied.everywhere:
            return False
        sure = len(self._refusals) or self.denied
        waiting = sure and len(self.flights) > self._unsent and now < self._lost_at + _LAST_REPORTS_S
        return now >= self._replace_at and not waiting

    def _send_again(self) -> None:
        again = self._to_send_again
        while again and self._lost is None and self._error is None:
            entry = again[0]
            if self._careful and not self._may_be_next(entry):
                return
            before = len(self.flights)
            if not self._pass(at_present(entry) if self._clock.disagrees else entry):
                return
            again.popleft()
            if self._careful:
                self._one_by_one -= 1
                self.flights.sampling = True
                if len(self.flights) > before:
                    self._busy.add(entry.lane)

    def _may_be_next(self, entry: InFlight) -> bool:
        if self._clock.disagrees:
            return self._one_by_one > 0 and not self._busy and self._clock.is_time_to_look
        return self._one_by_one > 0 and entry.lane not in self._busy

    def _replace(self) -> None:
        # Losses because of a refused record (which is counted), a right or credentials may repeat without limit.
        if len(self._refusals) or self.denied or self._lost in {_NO_LOGIN, _NEW_CREDENTIALS}:
            self._losses = min(self._losses - 1, _MOST_BY_RECORD)
        if self._losses > _MOST_LOSSES:
            self._fail(self._cause)
            return
        metrics.PRODUCER_RECREATED.labels(str(self._lost)).inc()
        self._let_go()
        self._open_next()

    def _let_go(self) -> None:
        """Take all records back from a lost producer and drop it; records that it has sent may be stored twice."""
        if isinstance(self._producer, NoProducer):
            return
        taken_back = self.flights.take_back()
        self._unsent = 0
        if self._careful:
            self._to_send_again.extendleft(reversed(taken_back))
            self._one_by_one += len(taken_back)
        else:
            self._to_send_again, self._one_by_one = self._refusals.sort_out(
                (*taken_back, *self._to_send_again), self._refused
            )
        self._to_send_again, self._one_by_one = self.denied.take(self._to_send_again, self._one_by_one)
        self._producer = NoProducer()
        self.flights.produce = self._producer.produce

    def _open_next(self) -> None:
        try:
            self.open()
        except KafkaFailed as e:
            self._fail(str(e))
            return
        self._busy.clear()
        self._lost = None

    def _fail(self, cause: str) -> None:
        self.flights.ready = False
        if self._error is None:
            self._error = KafkaFailed(
                f"The Kafka producer failed for good ({cause}), so nothing can be published: run again."
            )
            logger.error("producer.failed cause=%r in_flight=%d", cause, self.busy)
            self._give_up(self._error)
