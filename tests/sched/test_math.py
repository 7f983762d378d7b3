# SPDX-License-Identifier: GPL-2.0-only
"""bpf/sched_math.h, compiled for the host, held against what it says in Python's exact integers."""

from __future__ import annotations

import ctypes
import re
import subprocess
from ctypes import c_int, c_int32, c_int64, c_uint8, c_uint32, c_uint64
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedctl.image.abi import LATENCY_BUCKETS
from schedctl.image.index import EQUAL, PREFIX, SUFFIX, Subject
from schedctl.image.stats import bucket_bounds
from schedctl.image.tables import anchor_hash
from schedctl.profile.model import default_deadline_ns
from tests.sched.programs import ROOT

SHIM = Path(__file__).parent / "math_shim.c"
HEADER = ROOT / "bpf" / "sched_math.h"
TYPES: dict[str, Any] = {
    "u8": c_uint8,
    "u32": c_uint32,
    "s32": c_int32,
    "u64": c_uint64,
    "s64": c_int64,
    "int": c_int,
}

MS = 1_000_000
SLICE, SLICE_MIN, WINDOW, LAG = 4 * MS, MS // 4, 100 * MS, 20 * MS
LEAD = 3_750 * MS
RUN_MIN = MS // 50
WEIGHT_MAX = 1 << 26
LONGEST = 3_000 * MS  # of a period, a deadline and a runtime
FULL = 1 << 64

u64s = st.integers(0, FULL - 1)
u32s = st.integers(0, (1 << 32) - 1)
# below a day, and around the places where something changes
spans_ns = st.integers(0, 86_400_000 * MS) | st.integers(0, 2 * WINDOW) | st.integers(0, 2 * SLICE)
slices_ns = st.integers(SLICE_MIN, WINDOW)
durations_ns = st.integers(MS // 10, LONGEST) | st.sampled_from([MS // 10, LONGEST])
half = st.integers(1 - FULL // 2, FULL // 2 - 1)
debts_ns = st.integers(-WINDOW, WINDOW) | st.sampled_from([-WINDOW, WINDOW])


@pytest.fixture(scope="module")
def math(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The shim's functions, with the types that its text declares."""
    library = tmp_path_factory.mktemp("math") / "math.so"
    flags = ("-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover=all")
    subprocess.run(
        ["gcc", *flags, "-static-libubsan", "-shared", "-fPIC", f"-I{HEADER.parent}", "-o", library, SHIM],
        check=True,
    )
    loaded = ctypes.CDLL(str(library))
    for kind, name, parameters in re.findall(r"^(\w+) (math_\w+)\((.*)\)$", SHIM.read_text(), re.M):
        function = getattr(loaded, name)
        function.restype = TYPES[kind]
        function.argtypes = [TYPES[parameter.split()[0]] for parameter in parameters.split(", ")]
    return loaded


def test_every_function_is_here() -> None:
    names = re.findall(r"^static inline \w+ (\w+)\(", HEADER.read_text(), re.M)
    assert names == re.findall(r"^\w+ math_(\w+)\(", SHIM.read_text(), re.M)
    assert [name for name in names if f"math_{name}(" not in Path(__file__).read_text()] == []


@settings(max_examples=400)
@given(u64s, half)
def test_times_are_compared_across_the_wrap(math: ctypes.CDLL, a: int, ahead: int) -> None:
    b = (a + ahead) % FULL
    assert math.math_time_before(a, b) == (ahead > 0)
    assert math.math_later_of(a, b) == math.math_later_of(b, a) == (b if ahead > 0 else a)
    assert math.math_time_since(b, a) == max(ahead, 0)
    assert math.math_time_since(a, b) == max(-ahead, 0)


@given(u64s, spans_ns)
def test_a_deadline_is_absolute(math: ctypes.CDLL, release: int, deadline_ns: int) -> None:
    assert math.math_abs_deadline(release, deadline_ns) == (release + deadline_ns) % FULL


def test_default_deadlines_are_those_of_the_profile(math: ctypes.CDLL) -> None:
    for level in range(1, 8):
        assert math.math_default_deadline_ns(level) == default_deadline_ns(level, None)


@settings(max_examples=400)
@given(slices_ns, spans_ns | u64s)
def test_what_is_left_of_a_slice(math: ctypes.CDLL, slice_ns: int, used_ns: int) -> None:
    assert math.math_slice_left(slice_ns, used_ns) == max(SLICE_MIN, slice_ns - used_ns)
    assert math.math_slice_used_up(slice_ns, used_ns) == (used_ns + SLICE_MIN > slice_ns)


def test_nice_values_have_the_kernels_weights(math: ctypes.CDLL) -> None:
    """A quarter for each step, as sched_prio_to_weight has it; what is no nice value is neutral."""
    weights = [math.math_nice_weight(nice) for nice in range(-20, 20)]
    assert (weights[0], weights[20], weights[39]) == (88761, 1024, 15)
    assert all(1.18 < heavier / lighter < 1.32 for heavier, lighter in pairwise(weights[:36]))
    assert math.math_nice_weight(20) == math.math_nice_weight(-21) == 1024


@settings(max_examples=400)
@given(u32s | st.integers(0, 100_000), u32s | st.integers(0, 20_000))
def test_weights_multiply_within_bounds(math: ctypes.CDLL, weight: int, factor: int) -> None:
    product = math.math_weight_product(weight, factor)
    assert product == min(max(weight * factor // 100, 1), WEIGHT_MAX)
    if 1 <= weight <= WEIGHT_MAX:
        assert math.math_weight_product(weight, 100) == weight


@settings(max_examples=400)
@given(u64s, spans_ns, spans_ns, st.integers(0, WEIGHT_MAX), st.integers(0, 10_000))
def test_running_costs_virtual_time(
    math: ctypes.CDLL, vtime: int, ran_ns: int, more_ns: int, weight: int, heavier: int
) -> None:
    def cost(ran_ns: int, weight: int) -> int:
        return int((math.math_vtime_charge(vtime, ran_ns, weight) - vtime) % FULL)

    assert cost(ran_ns, weight) == ran_ns * 1024 // (weight or 1)
    assert cost(ran_ns, 1024) == ran_ns
    assert cost(ran_ns, weight) <= cost(ran_ns + more_ns, weight)
    assert cost(ran_ns, weight + heavier) <= cost(ran_ns, weight) or not weight


@settings(max_examples=400)
@given(u64s, u64s, u64s, u32s)
def test_no_time_that_a_thread_ran_puts_it_further_off_than_a_lead(
    math: ctypes.CDLL, vnow: int, vtime: int, ran_ns: int, weight: int
) -> None:
    """Whatever a clock that jumped says: from 208 days on the product wraps."""
    charged = math.math_vtime_charge(vtime, ran_ns, weight)
    assert charged == (vtime + ran_ns * 1024 % FULL // (weight or 1)) % FULL
    assert (math.math_vtime_clamp(charged, vnow) - vnow + LAG) % FULL <= LAG + LEAD


@settings(max_examples=400)
@given(u64s, half | st.integers(-2 * LEAD, 2 * LEAD))
def test_virtual_time_stays_near_the_queue(math: ctypes.CDLL, vnow: int, ahead: int) -> None:
    if ahead < LAG - FULL // 2 or ahead >= FULL // 2 - LEAD:
        return  # nothing is this far away: the comparison would wrap
    clamped = math.math_vtime_clamp((vnow + ahead) % FULL, vnow)
    assert clamped == (vnow + min(max(ahead, -LAG), LEAD)) % FULL
    assert math.math_vtime_clamp(clamped, vnow) == clamped


@settings(max_examples=400)
@given(u64s, u64s, half | st.integers(-2 * LEAD, 2 * LEAD), st.booleans())
def test_a_cpus_virtual_time_is_near_who_runs(
    math: ctypes.CDLL, behind: int, shared: int, ahead: int, contended: bool
) -> None:
    if ahead >= FULL // 2 - LAG:
        return  # nothing is this far away: the comparison would wrap
    vtime = (shared - behind + ahead) % FULL
    left = math.math_vtime_behind(behind, shared, vtime, contended)
    ahead_then = vtime - (shared - left)
    wanted = max(ahead, -LAG) if contended else min(max(ahead, -LAG), 0)
    assert (ahead_then - wanted) % FULL == 0
    assert math.math_vtime_behind(left, shared, vtime, contended) == left


@settings(max_examples=400)
@given(debts_ns, u64s | spans_ns, st.integers(0, 1000))
def test_a_debt_grows_by_the_share(math: ctypes.CDLL, debt: int, elapsed: int, permille: int) -> None:
    grown = math.math_debt_accrue(debt, elapsed, permille)
    assert grown == min(debt + min(elapsed, 10 * WINDOW) * permille // 1000, WINDOW)
    assert debt <= grown <= WINDOW


@settings(max_examples=400)
@given(debts_ns, u64s | spans_ns)
def test_a_debt_is_paid(math: ctypes.CDLL, debt: int, ran_ns: int) -> None:
    rest = debt - min(ran_ns, WINDOW)
    assert math.math_debt_pay(debt, ran_ns, 1) == max(rest, -WINDOW)
    # time that nobody else wanted makes no overdraft, and forgives none
    assert math.math_debt_pay(debt, ran_ns, 0) == max(rest, min(debt, 0))


@settings(max_examples=400)
@given(st.lists(st.tuples(st.booleans(), spans_ns, st.integers(0, 1000)), max_size=50))
def test_a_debt_never_exceeds_a_window(math: ctypes.CDLL, steps: list[tuple[bool, int, int]]) -> None:
    debt = 0
    for pays, ns, permille in steps:
        if pays:
            debt = math.math_debt_pay(debt, ns, permille % 2)
        else:
            debt = math.math_debt_accrue(debt, ns, permille)
        assert -WINDOW <= debt <= WINDOW


def test_buckets_join_without_a_gap_and_are_fine() -> None:
    bounds = [bucket_bounds(bucket) for bucket in range(LATENCY_BUCKETS)]
    assert bounds[0][0] == 0
    assert all(low[1] == high[0] for low, high in pairwise(bounds))
    assert bounds[-1][1] is None
    assert all((high - low) * 16 <= low for low, high in bounds if high is not None and low >= 1024), "6.25 %"


@settings(max_examples=400)
@given(u64s | spans_ns | st.integers(0, 40).map(lambda bit: 1 << bit), st.integers(-1, 1))
def test_a_latency_lies_in_its_bucket(math: ctypes.CDLL, ns: int, beside: int) -> None:
    ns = min(max(ns + beside, 0), FULL - 1)
    bucket = math.math_latency_bucket(ns)
    low, high = bucket_bounds(bucket)
    assert low <= ns
    assert high is None or ns < high
    assert bucket <= math.math_latency_bucket(min(ns + 64, FULL - 1))


def test_every_bucket_is_reached_at_its_bounds(math: ctypes.CDLL) -> None:
    for bucket in range(LATENCY_BUCKETS):
        low, high = bucket_bounds(bucket)
        assert math.math_latency_bucket(low) == bucket
        assert math.math_latency_bucket(FULL - 1 if high is None else high - 1) == bucket


def test_a_tardiness_has_coarser_buckets(math: ctypes.CDLL) -> None:
    """The last one holds all from 8 s on; a job's lateness is mostly far below."""
    for ns in (0, 1, 16383, 16384, 1_000_000, 50_000_000, 7_000_000_000):
        assert math.math_tardiness_bucket(ns) == math.math_latency_bucket(ns >> 8)
    assert math.math_tardiness_bucket(9_000_000_000) == math.math_tardiness_bucket(FULL - 1) == 255


@settings(max_examples=400)
@given(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-LONGEST, LONGEST), durations_ns)
def test_a_budget_grows_by_one_period(math: ctypes.CDLL, budget_ns: int, runtime_ns: int) -> None:
    """A debt is carried, but nobody waits for more than one period, and nothing is saved up."""
    refilled = math.math_budget_refill(budget_ns, runtime_ns)
    assert refilled == max(min(budget_ns, 0) + runtime_ns, runtime_ns // 8)
    assert 0 < refilled <= runtime_ns
    assert math.math_budget_is_out(budget_ns) == (budget_ns < RUN_MIN)


@settings(max_examples=600)
@given(u64s, st.integers(-LONGEST, LONGEST) | half, durations_ns, durations_ns, st.data())
def test_the_wake_up_rule(
    math: ctypes.CDLL, now: int, until: int, runtime_ns: int, length_ns: int, data: st.DataObject
) -> None:
    """A new period only after less than runtime / period, an old deadline only for runtime / deadline."""
    budget_ns = data.draw(st.integers(-runtime_ns, runtime_ns))
    end_at = (now + until) % FULL
    renews = math.math_cbs_renews(budget_ns, end_at, now, runtime_ns, length_ns)
    meets = math.math_cbs_meets(budget_ns, end_at, now, runtime_ns, length_ns)
    fits = until > 0 and (until >= length_ns or budget_ns * length_ns <= until * runtime_ns)
    if budget_ns < RUN_MIN:
        assert (renews, meets) == (math.math_time_before(now, end_at) == 0, 1)
    else:
        assert (renews, meets) == (not fits, fits)


@settings(max_examples=200)
@given(
    st.integers(50_000, MS), st.integers(1, 20), st.integers(1, 20), st.lists(st.integers(0, 40), max_size=40)
)
def test_no_pattern_of_sleeps_gets_more_than_runtime_in_each_period(
    math: ctypes.CDLL, runtime_ns: int, later: int, earlier: int, pauses: list[int]
) -> None:
    """What a server that begins periods by the rule gives: runtime / period, and a budget."""
    deadline_ns = runtime_ns + later * MS // 10
    period_ns = deadline_ns + earlier * MS // 10
    now = used_ns = 0
    budget_ns, replenish_at = runtime_ns, period_ns
    for i, pause in enumerate(pauses):
        run_ns = budget_ns * (i % 4) // 3  # from nothing to all of it
        now, used_ns, budget_ns = now + run_ns, used_ns + run_ns, budget_ns - run_ns
        assert used_ns * period_ns <= (now + period_ns) * runtime_ns
        now += pause * MS // 10
        if math.math_cbs_renews(budget_ns, replenish_at, now, runtime_ns, period_ns):
            budget_ns, replenish_at = runtime_ns, now + period_ns


@settings(max_examples=400)
@given(u64s, st.integers(-LONGEST, 2 * LONGEST) | half, durations_ns)
def test_periods_follow_each_other(math: ctypes.CDLL, end_at: int, late: int, period_ns: int) -> None:
    """Without a gap, unless a whole one was missed; one that is cut short is not added to the next."""
    now = (end_at + late) % FULL
    expected = end_at if 0 <= late < period_ns else now
    assert math.math_next_period(end_at, now, period_ns) == expected


@settings(max_examples=400)
@given(st.integers(0, 1024), u64s | spans_ns, spans_ns)
def test_utilization_rises_at_once_and_falls_slowly(
    math: ctypes.CDLL, util: int, busy_ns: int, elapsed_ns: int
) -> None:
    new = min(busy_ns, elapsed_ns) * 1024 // elapsed_ns if elapsed_ns else 0
    average = math.math_util_average(util, busy_ns, elapsed_ns)
    assert average == (new if new > util else util - (util - new + 3) // 4)
    assert 0 <= average <= 1024
    assert math.math_perf_target(average) == min(average + average // 4, 1024)


@settings(max_examples=400)
@given(st.integers(0, 1024), u64s, u64s)
def test_no_clock_makes_a_cpu_busier_than_wholly(
    math: ctypes.CDLL, util: int, busy_ns: int, elapsed_ns: int
) -> None:
    assert 0 <= math.math_util_average(util, busy_ns, elapsed_ns) <= 1024


@given(u64s, st.sampled_from(Subject), st.sampled_from((EQUAL, PREFIX, SUFFIX)), st.binary(max_size=40))
def test_an_anchor_has_the_hash_of_the_index(
    math: ctypes.CDLL, seed: int, subject: Subject, kind: int, data: bytes
) -> None:
    """Of an equal text the kernel takes the prefix's hash and a NUL."""
    text = kind == EQUAL and subject <= Subject.CGROUP_PART
    found = math.math_anchor_hash_start(seed, subject, PREFIX if text else kind)
    for byte in data + b"\0" * text:
        found = math.math_anchor_hash_step(found, byte)
    assert found == anchor_hash(seed, (subject, kind, data))
