"""What a soak found, and the verdict: the accounting, the memory curve, one line for each thing that is wrong. Pure."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from faults.checker import Content, Place
from soak.actors import switches
from soak.judging import (
    Stored,
    holes,
    judge_books,
    judge_collectors,
    judge_group,
    judge_letters,
    judge_order,
    judge_producer,
    merge_books,
    stored,
    unannounced,
)
from soak.memory import ALLOWED_FILES, ALLOWED_KIB, LONG_S, MARKS_S, WARM_UP, WARM_UP_S, Sample, curve, marks
from soak.recovery import Recovery, table
from tickwire.cli.accounting import total_outcomes

# What a long soak has at least once, beside what befalls nodes and consumers.
_TROUBLE = [("collector", how) for how in ("killed", "frozen", "ended")]
_TROUBLE += [("disk", "full"), ("clock", "right again")]
_MIB = 1024


class Numbers(NamedTuple):
    """What a producer's metrics said at the end."""

    replaced: int
    gaps: int
    resyncs: int
    reconnects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that the verdict needs. ``handled`` is what members of the group printed, the killed ones too."""

    seconds: float
    reports: Mapping[str, Any]
    numbers: Mapping[str, Numbers]
    log: Mapping[Place, Content]
    resent: Collection[Place]  # what the client library sent again, though it was stored
    readers: Sequence[str]
    handled: Sequence[Place]
    committed: Mapping[tuple[str, int], int]
    kills: int
    members: Sequence[Mapping[str, Any]]
    auditor: Mapping[str, Any]
    poison: Sequence[Place]
    letters: Sequence[Place]
    own: Mapping[str, Any]
    faults: Mapping[str, Counter[str]]
    brokers: Counter[str]
    samples: Mapping[str, Sequence[Sample]]
    queue: int
    collected: Mapping[str, Sequence[Mapping[str, Any]]]  # reports of a group's members that ended in order
    steps_s: Mapping[str, int]  # least steps of the clocks that were set, by exchange
    full: str  # whose producer's disk was full
    recoveries: Sequence[Recovery]
    seed: int

    @property
    def long(self) -> bool:
        """Whether it was long enough for every fault and for the memory."""
        return self.seconds >= LONG_S

    def violations(self) -> list[str]:
        """Everything that is wrong."""
        found = stored(self.log, self.resent)
        wrong = list(self.readers)
        for name, report in self.reports.items():
            full = name == self.full
            wrong += judge_producer(name, report, found, self.numbers[name].replaced, self.queue, full=full)
        for name, reports in self.collected.items():
            wrong += judge_collectors(name, reports, found)
        no_news = {*self.poison, *self.resent}
        good = {place: content for place, content in self.log.items() if place not in no_news}
        wrong += judge_order(good, self.steps_s, self.collected, [self.full])
        wrong += unannounced(good, self.collected)[1]
        wrong += judge_group(self.log.keys(), self.handled, self.committed, self.kills)[1]
        wrong += judge_letters(self.poison, self.letters, self.kills)
        rebuilt = merge_books(self.members)
        for name, books in self.own.items():
            wrong += judge_books("the group", name, books, rebuilt)
            wrong += judge_books("the auditor", name, books, self.auditor["books"])
        known = holes(good, [self.full, *self.collected])
        wrong += [
            f"{report['jumps']} breaks in book_seq, {known} are of a full disk or of collectors' late records"
            for report in (*self.members, self.auditor)
            if report["jumps"] > known
        ]
        return wrong + list(self._missing_trouble()) + list(self._growth())

    def _missing_trouble(self) -> Iterator[str]:
        if not self.kills or not self.brokers:
            yield f"there was too little trouble: {self.kills} consumers killed, brokers {dict(self.brokers)}"
        for name, happened in self.faults.items() if self.long else ():
            if never := [fault for fault in switches(name) if not happened[fault]]:
                yield f"{name}: these faults never happened: {', '.join(never)}"
        happened_once = {recovery[:2] for recovery in self.recoveries}
        for kind, what in _TROUBLE if self.long else ():
            if (kind, what) not in happened_once:
                yield f"this never happened: {kind} {what}"

    def _growth(self) -> Iterator[str]:
        for name, samples in self.samples.items() if self.long else ():
            found = curve(samples)
            if found is not None and not found.flat:
                yield f"the memory of {name} grew by {found.parts[3] - found.parts[0]} KiB"
            if found is not None and not found.files_flat:
                yield f"{name} has {found.files[3] - found.files[0]} more open files"

    # What is printed

    def lines(self) -> Iterator[str]:
        """The whole report."""
        yield f"Trouble in {self.seconds:.0f} s, seed {self.seed}:"
        yield f"  consumers killed {self.kills}; brokers " + _counts(self.brokers)
        for name, happened in self.faults.items():
            yield f"  {name}: {_counts(happened)}"
        yield "Recovered, until all was well:"
        yield from table(self.recoveries)
        yield from self._accounting()
        yield from self._memory()
        wrong = self.violations()
        yield from (f"WRONG  {sentence}" for sentence in wrong)
        yield "Soak FAILED." if wrong else "Soak passed: nothing lost, every message accounted for."

    def _accounting(self) -> Iterator[str]:
        found = stored(self.log, self.resent)
        lost = duplicates = 0
        for name, report in self.reports.items():
            outcomes = total_outcomes(report)
            sums = " + ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in outcomes.items() if count)
            rejected = sum(report["frames_rejected"].values())
            yield f"{name}: {report['frames_received']} frames, {rejected} rejected (by fault)"
            yield f"  {sum(report['events'].values())} events = {sums}"
            there = [s for (whose, _), s in found.items() if whose == name]
            messages, copies = sum(s.messages for s in there), sum(s.duplicates for s in there)
            lost += max(0, outcomes["acknowledged"] - messages)
            duplicates += copies
            yield f"  in Kafka {messages} messages, {copies} of them twice"
            yield "  " + ", ".join(f"{what} {count}" for what, count in self.numbers[name]._asdict().items())
        for name, reports in self.collected.items():
            there = [s for (whose, _), s in found.items() if whose == name]
            yield f"{name}: {len(reports)} lives of collectors ended in order"
            messages, copies = sum(s.messages for s in there), sum(s.duplicates for s in there)
            yield f"  in Kafka {messages} messages, {copies} of them twice"
        announced, silent = unannounced(self.log, self.collected)
        jumps = sum(report["jumps"] for report in (*self.members, self.auditor))
        yield f"breaks of books: {announced} announced, {len(silent)} not"
        known = holes(self.log, [self.full, *self.collected])
        yield f"jumps in book_seq that readers saw: {jumps}, known in the log: {known}"
        reading = judge_group(self.log.keys(), self.handled, self.committed, self.kills)[0]
        bad = found.get(("poison", self.poison[0].topic), Stored(0, 0)) if self.poison else Stored(0, 0)
        yield f"log: {len(self.log)} records, {bad.records} of them bad on purpose"
        yield f"messages lost: {lost}; in the log twice: {duplicates}, by the client library {len(self.resent)}"
        yield (
            f"group: {len(self.handled)} handled, {reading.unseen} never, "
            f"{reading.again} again after {self.kills} kills"
        )
        yield f"dead letters: {len(set(self.letters))} of {len(self.poison)} bad records, {len(self.letters)} in all"
        rebuilt = merge_books(self.members)
        for name, books in self.own.items():
            equal = [len(books) - len(judge_books("", name, books, r)) for r in (rebuilt, self.auditor["books"])]
            yield f"books of {name}: {len(books)}, the same in the group {equal[0]}, read from the beginning {equal[1]}"

    def _memory(self) -> Iterator[str]:
        yield (
            f"Memory in MiB; the first {WARM_UP:.0%} of a life, at least {WARM_UP_S:g} s, is warm-up, q1 to q4 are "
            f"medians of the rest's quarters; flat: q4 is at most {ALLOWED_KIB / _MIB:g} MiB and {ALLOWED_FILES} open "
            f"files above q1"
        )
        heads = "".join(f"{head:>8}" for head in ("minutes", "start", "q1", "q2", "q3", "q4", "end"))
        yield f"  {'process':<20}{heads}{'KiB/min':>9}{'files q1':>9}{'q4':>5}"
        short = 0
        for name, samples in self.samples.items():
            found = curve(samples)
            if found is None:
                short += 1
                continue
            values = "".join(f"{kib / _MIB:>8.1f}" for kib in (found.start, *found.parts, found.end))
            minutes = (samples[-1].at - samples[0].at) / 60
            verdict = "too short to say" if not self.long else "flat" if found.flat and found.files_flat else "GROWS"
            files = f"{found.files[0]:>9}{found.files[3]:>5}"
            yield f"  {name:<20}{minutes:>8.1f}{values}{found.slope:>9.0f}{files}  {verdict}"
        if short:
            yield f"  {short} lives of processes were too short for a curve"
        yield f"MiB/open files every {MARKS_S / 60:g} minutes, or at every tenth of a shorter life"
        for name, samples in self.samples.items():
            if curve(samples) is not None:
                cells = "".join(f"{f'{sample.kib / _MIB:.0f}/{sample.files}':>8}" for sample in marks(samples))
                yield f"  {name:<20}{cells}"


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
