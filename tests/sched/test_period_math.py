# SPDX-License-Identifier: GPL-2.0-only
"""bpf/period_math.h, compiled for the host: threads with a known period, and threads without one."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedctl.image.abi import PeriodCtx
from tests.sched.periods import (
    FULL,
    MS,
    NS,
    RANDOM_GAPS,
    RATES_HZ,
    RHYTHMS,
    TOLERANCE,
    Estimator,
    Rhythm,
    alternating,
    bursts,
    observe,
    random_releases,
    releases,
)

LONGEST_NS = 900 * MS
SHORTEST_NS = 20_000
# At 60 Hz the running mean is 1 s behind a drift, and the error of jittering periods comes on top.
HARD = {("period jitter, drift 1 %/s", 60)}
RANDOM = {name for name, rhythm in RHYTHMS.items() if rhythm.missing or rhythm.interval or rhythm.phase}

u64s = st.integers(0, FULL - 1)
halves = st.integers(0, FULL // 2 - 1)
u32s = st.integers(0, (1 << 32) - 1)
gaps_ns = st.integers(0, 2 * SHORTEST_NS) | st.integers(0, 50 * MS) | st.integers(0, 2 * LONGEST_NS)


@pytest.fixture(scope="module")
def estimator(tmp_path_factory: pytest.TempPathFactory) -> Estimator:
    return Estimator(tmp_path_factory.mktemp("period"))


def summed(start: int, gaps: list[int]) -> list[int]:
    times = [start]
    for gap in gaps:
        times.append((times[-1] + gap) % FULL)
    return times


def test_the_layout_is_the_headers(estimator: Estimator) -> None:
    assert estimator.shim.period_ctx_size() == ctypes.sizeof(PeriodCtx) == 192


@given(halves, halves, st.integers(-2, 2))
def test_comparing_without_a_branch(estimator: Estimator, a: int, b: int, beside: int) -> None:
    for other in (b, min(max(a + beside, 0), FULL // 2 - 1)):
        assert estimator.shim.period_is_less(a, other) == (a < other)
        assert estimator.shim.period_distance(a, other) == abs(a - other)


@given(u32s | st.integers(0, 3), u32s | st.integers(0, 3), u32s | st.integers(0, 3))
def test_the_middle_one_of_three(estimator: Estimator, a: int, b: int, c: int) -> None:
    assert estimator.shim.period_middle_of(a, b, c) == sorted((a, b, c))[1]


@pytest.mark.parametrize("hz", RATES_HZ)
@pytest.mark.parametrize("name", RHYTHMS)
def test_a_period_is_found_within_two_seconds(estimator: Estimator, name: str, hz: int) -> None:
    seeds = range(3 if hz == 1000 else 8) if name in RANDOM else range(2)
    outcomes = [observe(estimator, RHYTHMS[name], hz, 3 if hz == 1000 else 6, seed) for seed in seeds]
    assert max(outcome.first_ns for outcome in outcomes) < 2 * NS
    # what is random may be beside it now and then
    allowed = 0.1 if (name, hz) in HARD else 0.01 if name in RANDOM else 0
    answers = sum(outcome.nr for outcome in outcomes)
    assert sum(outcome.nr_wrong + outcome.nr_none for outcome in outcomes) <= allowed * answers


@pytest.mark.parametrize("hz", RATES_HZ)
def test_jitter_and_confidence(estimator: Estimator, hz: int) -> None:
    """The mean distance of two releases, each uniform within ±10 %, is 6.7 %; of a uniform period 5 %."""
    observe(estimator, Rhythm(), hz, 2, 0)
    assert estimator.ctx.jitter_ns <= 1
    assert estimator.ctx.confidence == 1000
    for rhythm, wanted in ((Rhythm(phase=0.1), 0.067), (Rhythm(interval=0.1), 0.05)):
        seen = [observe(estimator, rhythm, hz, 2, seed).jitter for seed in range(20)]
        assert sum(seen) / len(seen) == pytest.approx(wanted, rel=0.15)
        assert estimator.ctx.confidence >= 800


def test_a_change_of_the_rate_is_followed_within_a_second(estimator: Estimator) -> None:
    for seed, jitter in enumerate((0, 0.02, 0.1, 0.1)):
        times, since, truth = zip(*alternating(6, jitter, seed), strict=True)
        periods = estimator.run(times)
        late = [
            period
            for period, ns, true_ns in zip(periods, since, truth, strict=True)
            if ns > NS and abs(period / true_ns - 1) > TOLERANCE
        ]
        assert late == []


@pytest.mark.parametrize("hz", [10, 30, 100, 300, 1000, 2000])
@pytest.mark.parametrize("kind", RANDOM_GAPS)
def test_random_gaps_have_no_period(estimator: Estimator, kind: str, hz: int) -> None:
    for seed in range(2):
        periods = estimator.run(random_releases(kind, hz, 10_000, seed))
        assert sum(period > 0 for period in periods) <= 100


@pytest.mark.parametrize("wakeups", [2, 3, 4, 5, 8, 10, 16, 24, 40])
def test_a_burst_is_not_its_gap(estimator: Estimator, wakeups: int) -> None:
    periods = estimator.run(bursts(wakeups, MS, 16_670_000, 300))
    cycle_ns = MS + 16_670_000
    assert all(period == 0 or abs(period / cycle_ns - 1) <= TOLERANCE for period in periods)
    if wakeups <= 3:
        assert periods[-1]


@settings(max_examples=150, deadline=None)
@given(st.integers(100_000, LONGEST_NS - 1), u64s)
def test_a_steady_thread_is_exact(estimator: Estimator, period_ns: int, start: int) -> None:
    nr = 41 + 20 * MS // period_ns
    periods = estimator.run(summed(start, [period_ns] * (nr + 8)))
    assert set(periods[:40]) == {0}
    assert periods[-1] == period_ns


@settings(max_examples=150, deadline=None)
@given(st.integers(MS, LONGEST_NS // 2), st.floats(0.05, 0.48), st.booleans())
def test_two_wake_ups_per_period(estimator: Estimator, period_ns: int, share: float, swapped: bool) -> None:
    gaps = [int(period_ns * share), period_ns - int(period_ns * share)]
    periods = estimator.run(summed(NS, (gaps[::-1] if swapped else gaps) * (40 + 20 * MS // period_ns)))
    assert periods[-1] == pytest.approx(period_ns, rel=TOLERANCE)
    assert estimator.ctx.lag == 2


def test_missing_wake_ups_do_not_make_a_gap_the_period(estimator: Estimator) -> None:
    """Gaps of 20/80 are also 1 and 4 periods of 20; half of them are neither."""
    for seed in range(40):
        times, truth = releases(Rhythm(missing=0.1, wakeups=(0, 0.2)), 60, 8, seed)
        assert min(filter(None, estimator.run(times)), default=truth[0]) > 0.9 * truth[0]


def test_a_hitch_is_outlived_and_silence_is_not(estimator: Estimator) -> None:
    period_ns = NS // 60
    before = summed(NS, [period_ns] * 100)
    assert estimator.run(before)[-1] == period_ns
    after = summed(before[-1] + 10 * period_ns, [period_ns] * 100)
    assert set(estimator.go_on(after)) == {period_ns}
    assert estimator.go_on([after[-1] + NS]) == [0]


def test_wake_ups_within_a_release_are_part_of_it(estimator: Estimator) -> None:
    times = summed(NS, [MS] * 200)
    twice = [at + beside for at in times for beside in (0, 5_000, 4_000)]
    assert estimator.run(twice)[-1] == MS
    assert estimator.ctx.nr_releases == len(times)


@settings(max_examples=200, deadline=None)
@given(st.lists(u64s, max_size=120))
def test_no_sequence_of_times_does_harm(estimator: Estimator, times: list[int]) -> None:
    assert all(period < 3 * LONGEST_NS for period in estimator.run(times))


@settings(max_examples=200, deadline=None)
@given(st.lists(gaps_ns | st.integers(-MS, 0), min_size=1, max_size=40), u64s)
def test_a_period_lies_within_the_bounds(estimator: Estimator, gaps: list[int], start: int) -> None:
    """Repeated, any gaps have a period; it need not be found. Where time begins changes nothing."""
    times = summed(start, gaps * (200 // len(gaps)))
    periods = estimator.run(times)
    assert all(period == 0 or SHORTEST_NS <= period < 3 * LONGEST_NS for period in periods)
    ctx = estimator.ctx
    assert ctx.confidence <= 1000
    assert ctx.jitter_ns <= ctx.period_ns
    assert (ctx.confidence == 0) == (ctx.period_ns == 0)
    assert estimator.run([(at - start) % FULL for at in times]) == periods


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=192, max_size=192))
def test_an_estimate_from_any_state(estimator: Estimator, state: bytes) -> None:
    ctx = PeriodCtx.from_buffer_copy(state)
    estimator.shim.period_force(ctypes.byref(ctx))
    assert ctx.confidence <= 1000 or ctx.nr_failed <= 4
