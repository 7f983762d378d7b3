# SPDX-License-Identifier: GPL-2.0-only
"""`python -m tests.sched.period_table`: how far off bpf/period_math.h is; tables for docs/decisions.md."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.sched.periods import (
    NS,
    RANDOM_GAPS,
    RATES_HZ,
    RHYTHMS,
    TOLERANCE,
    Estimator,
    alternating,
    bursts,
    observe,
    random_releases,
)

SEEDS = 40
SECONDS = {60: 8, 144: 8, 1000: 4}


def rhythm_row(estimator: Estimator, name: str) -> str:
    """Per rate: median error, 99th percentile, and the share of answers that were none or beyond 2 %."""
    cells = [name]
    first_ns = 0
    for hz in RATES_HZ:
        seen = [observe(estimator, RHYTHMS[name], hz, SECONDS[hz], seed) for seed in range(SEEDS)]
        errors = sorted(error for outcome in seen for error in outcome.errors)
        nr = sum(outcome.nr for outcome in seen)
        failed = sum(outcome.nr_none + outcome.nr_wrong for outcome in seen) / nr
        middle, most = errors[len(errors) // 2], errors[int(len(errors) * 0.99)]
        cells.append(f"{middle:.2%} {most:.2%} {failed:.2%}")
        if hz == 60:
            first_ns = max(outcome.first_ns for outcome in seen)
    return " | ".join([*cells, f"{first_ns / NS:.2f} s"])


def random_row(estimator: Estimator, kind: str) -> str:
    nr = answers = worst = 0
    for hz in (10, 30, 100, 300, 1000, 2000):
        for seed in range(SEEDS):
            periods = estimator.run(random_releases(kind, hz, 10_000, seed))
            periodic = sum(period > 0 for period in periods)
            nr += len(periods)
            answers += periodic
            worst = max(worst, periodic)
    return f"{kind} | {answers / nr:.4%} | {worst / 10_000:.2%}"


def burst_row(estimator: Estimator, wakeups: int) -> str:
    periods = estimator.run(bursts(wakeups, 1_000_000, 16_670_000, 1000))
    answers = sorted({f"{period / 1e6:.2f} ms" if period else "none" for period in periods[100:]})
    return f"{wakeups} | {', '.join(answers)}"


def switch_times(estimator: Estimator, jitter: float) -> str:
    """From a change of the rate to the last answer beyond the tolerance."""
    late = [0, 0]
    for seed in range(SEEDS):
        times, since, truth = zip(*alternating(8, jitter, seed), strict=True)
        for period, ns, true_ns in zip(estimator.run(times), since, truth, strict=True):
            if abs(period / true_ns - 1) > TOLERANCE:
                late[true_ns < NS // 100] = max(late[true_ns < NS // 100], ns)
    return f"±{jitter:.0%} | {late[0] / NS:.2f} s | {late[1] / NS:.2f} s"


def table(head: str, rows: list[str]) -> None:
    print(f"\n| {head} |", "|---" * (head.count("|") + 1) + "|", *(f"| {row} |" for row in rows), sep="\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        estimator = Estimator(Path(folder))
    rates = " | ".join(f"{hz} Hz" for hz in RATES_HZ)
    table(f"thread | {rates} | first", [rhythm_row(estimator, name) for name in RHYTHMS])
    table("random gaps | periodic | worst", [random_row(estimator, kind) for kind in RANDOM_GAPS])
    table("wake-ups | answers", [burst_row(estimator, wakeups) for wakeups in (2, 3, 4, 5, 10, 20, 40)])
    table("jitter | to 60 Hz | to 144 Hz", [switch_times(estimator, jitter) for jitter in (0, 0.02, 0.1)])


if __name__ == "__main__":
    main()
