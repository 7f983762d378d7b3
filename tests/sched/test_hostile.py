# SPDX-License-Identifier: GPL-2.0-only
"""Loads that a scheduler suffers from take from nobody what is his. Guest time can be compared on one CPU."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

from tests.conftest import Guest
from tests.sched.hostile import MAX_WAIT_NS, STORMS, TRICKS, Load, hostile, nothing_ejected, profile

EPOCH_NS = MAX_WAIT_NS // 3
WINDOW_NS = 100_000_000


def describe(title: str, load: Load) -> None:
    """A figure for whoever reads the output: the same load under ours and under the default scheduler."""
    for name, group in load.groups.items():
        share = float(Fraction(group.cpu_ns, load.elapsed_ns))
        longest = group.longest_ns / 1e6
        print(f"{title}: {name} {share:.1%} of a CPU, {group.operations} times, {longest:.0f} ms at most")


def test_storms_under_hogs_leave_the_fair_tier_its_share(lab1: Guest) -> None:
    """Forks, execs and exits of big processes go on; a spinner beside them waits in bounds."""
    lab1.apply(profile("10%"))
    with nothing_ejected(lab1):
        load = hostile(lab1, 3, "spin:hog:2", "spin:probe", *STORMS)
    describe("ours", load)
    assert Fraction(load.fair_ns, load.elapsed_ns) >= Fraction(8, 100), load
    assert load["hog"].cpu_ns >= load.elapsed_ns / 2, load
    assert load["probe"].longest_ns < MAX_WAIT_NS / 5, load
    assert all(group.operations for group in load.groups.values()), load
    written = hostile(lab1, 2, "spin:hog:2", "write")
    describe("ours", written)
    assert written["write"].operations >= 10, "what is written reaches the disk"
    lab1.sh("schedctl detach")
    describe("default", hostile(lab1, 2, "spin:hog:2", "spin:probe", *STORMS))
    describe("default", hostile(lab1, 2, "spin:hog:2", "write"))


@pytest.mark.parametrize(("hogs", "seconds"), [((), 3), (("spin:hog",), 12)], ids=["alone", "under a hog"])
def test_tricks_gain_nothing(lab1: Guest, hogs: Sequence[str], seconds: int) -> None:
    """Yielding, dodging the tick, flipping affinity, nice, policy or class: a spinner gets its part."""
    lab1.apply(profile("10%"))
    with nothing_ejected(lab1):
        load = hostile(lab1, seconds, *hogs, "spin:probe", *TRICKS)
    describe("ours", load)
    assert Fraction(load.fair_ns, load.elapsed_ns) >= Fraction(8, 100), load
    assert load["probe"].longest_ns < MAX_WAIT_NS / 5, load
    part = Fraction(load.fair_ns, 1 + sum(TRICKS.values()))
    assert load["probe"].cpu_ns >= part * Fraction(9, 10), (float(part), load)
    assert all(group.operations for group in load.groups.values()), load
    lab1.sh("schedctl detach")
    describe("default", hostile(lab1, 2, *hogs, "spin:probe", *TRICKS))


def test_the_longest_wait_is_below_the_stated_maximum(lab1: Guest) -> None:
    """Of one thread in a tier with a hundredth of the CPU, of a hundred, and of a few of the least weight."""
    lab1.apply(profile("1%"))
    few = hostile(lab1, 2, "spin:hog:2", "spin:fair", "idle")
    describe("ours", few)
    many = hostile(lab1, 13, "spin:hog:2", "spin:fair:40", "low:low:5", "idle:idle:100")
    describe("ours", many)
    for name in ("fair", "idle"):
        assert few[name].longest_ns <= MAX_WAIT_NS / 5, few
    for name in ("fair", "low", "idle"):
        assert many[name].longest_ns <= MAX_WAIT_NS + EPOCH_NS + WINDOW_NS, many
    assert many["low"].longest_ns > MAX_WAIT_NS / 2, "their weight alone makes them wait"
    assert lab1.status()["counters"]["nr_overdue"] >= 5
    lab1.sh("schedctl detach")
    describe("default", hostile(lab1, 2, "spin:hog:2", "spin:fair:40", "low:low:5", "idle:idle:100"))


def test_a_thread_without_a_context_leaves_the_others_theirs(lab1: Guest) -> None:
    """What the scheduler keeps about two spinners is gone: they run as fair, and starve nobody."""
    lab1.apply(profile("30%"))
    before = lab1.status()["counters"]["nr_no_context"]
    with nothing_ejected(lab1):
        load = hostile(lab1, 3, "lost:lost:2", "spin:probe", "spin:hog")
    assert load["lost"].alive == 2
    # a third of the fair share is a tenth
    for name, at_least in (("hog", 50), ("lost", 10), ("probe", 6)):
        assert load[name].cpu_ns * 100 >= load.elapsed_ns * at_least, (name, load)
    assert lab1.status()["counters"]["nr_no_context"] >= before + 100


def test_a_class_of_the_kernel_comes_between(lab1: Guest) -> None:
    """Who waits for a CPU that SCHED_FIFO takes comes back to the queues, again and again: no ejection."""
    lab1.apply(profile("10%"))
    with nothing_ejected(lab1):
        load = hostile(lab1, 2, "fifo", "tick:hog:2", "spin:probe")
    assert load["fifo"].operations > 1000, load
    assert load["hog"].operations > 100, load
    assert load["probe"].cpu_ns, load


def test_everything_at_once_on_two_cpus(lab: Guest) -> None:
    lab.apply(profile("60%"))
    before = lab.status()["counters"]
    with nothing_ejected(lab):
        load = hostile(
            lab, 8, "spin:hog:2", "spin:probe", *STORMS, *TRICKS, "spin:bound:2:1", "idle", "write"
        )
    describe("ours", load)
    after = lab.status()["counters"]
    # how often each came round depends on how fast the emulator is
    assert all(group.cpu_ns and group.alive for group in load.groups.values()), load
    for name in ("nr_owed", "nr_classified", "nr_restricted"):
        assert after[name] > before[name], name
    assert after["nr_no_context"] == 0


def test_a_bound_thread_beside_free_ones(lab: Guest) -> None:
    """Two spinners that may run everywhere leave a third of two CPUs to one that is bound."""
    lab.apply(profile("10%"))
    load = hostile(lab, 6, "spin:free:2", "spin:bound:1:1")
    describe("ours", load)
    assert load["bound"].cpu_ns >= load.elapsed_ns / 3, load
    assert load["free"].cpu_ns >= load.elapsed_ns, load
