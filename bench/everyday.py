"""The cost of everyday rates: the product, then the bare chain, each at a fixed rate."""

import sys

from bench.cells import Work, run_cell
from bench.latency import measure

# Messages a second, symbols, linger in ms, seconds. The first is an almost idle process.
_CELLS = (
    (1, 1, 10, 8),
    (100, 5, 10, 5),
    (1_000, 5, 10, 3),
    (1_000, 5, 0, 3),
    (10_000, 100, 10, 3),
    (10_000, 100, 0, 3),
)


def table(bootstrap: str) -> list[str]:
    """Processor time, wake-ups and p99 latency, of one run each."""
    head = ("CPU of a core", "CPU µs a message", "wake-ups/s", "p99, ms")
    lines = [
        "Tickers; the whole process. A wake-up is a voluntary context switch of any of its threads.",
        "",
        f"| messages/s | symbols | linger, ms | product: {' | '.join(head)} | bare: {' | '.join(head)} | CPU, ratio |",
        "| --- " * (2 * len(head) + 4) + "|",
    ]
    for rate, symbols, linger, seconds in _CELLS:
        work = Work("tickers", rate * seconds, symbols=symbols, rate=rate, linger=linger)
        row, cpu = [], []
        for cell in ("product", "bare"):
            (_, p99, _), measured = measure(cell, bootstrap, work)
            cpu.append(measured["cpu_seconds"] / measured["seconds"])
            wakes = measured["wakes"] / measured["seconds"]
            row += [f"**{cpu[-1]:.1%}**", f"{measured['cpu']:,.0f}", f"{wakes:,.0f}", f"{p99:.1f}"]
        lines.append(f"| {rate:,} | {symbols} | {linger} | {' | '.join(row)} | **{cpu[0] / cpu[1]:.2f}** |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def load(bootstrap: str) -> str:
    """The cost of a market of some size, in one line."""
    shares = []
    for work in (
        Work("tickers", 20_000 * 3, symbols=500, rate=20_000),
        Work("deltas", 10_000 * 3, symbols=100, levels=25, rate=10_000),
    ):
        measured = run_cell("product", work, bootstrap)
        shares.append(measured["cpu_seconds"] / measured["seconds"])
    return (
        f"20,000 best bids and offers a second of 500 symbols take **{shares[0]:.0%}** of a core, and 10,000 "
        f"order-book changes a second of 100 symbols **{shares[1]:.0%}**."
    )


if __name__ == "__main__":
    from bench.__main__ import brokers

    with brokers(quick=True) as where:
        last = list(where.values())[-1]
        print("\n".join([*table(last), "", load(last)]))
