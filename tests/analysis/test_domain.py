# SPDX-License-Identifier: GPL-2.0-only
"""Profiles as tasks: who is told, what blocks its threads, how far silent classes reach, what is assumed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest

from schedctl.analysis import domain
from schedctl.analysis.domain import domain_of, missing, smallest_cache, supply_of
from schedctl.analysis.model import Placement, Scheduler, Task
from schedctl.analysis.report import TaskSet
from schedctl.profile.model import ThreadClass
from schedctl.resolve.assignment import Assignment
from tests.analysis.profiles import FIXED, classes, host, profile

MS = 1_000_000
MOTOR = "level: 7, period: 20ms, runtime: 2ms, threads: 1"
VIDEO = "level: 5, period: 40ms, deadline: 30ms, runtime: 5ms, threads: 2"
FITS = classes(motor=MOTOR, video=VIDEO)
ONE = VIDEO.replace("threads: 2", "threads: 1")
LOW = "level: 1, period: 80ms, runtime: 5ms, threads: 1"
NOISE = "level: 1"


def only(text: str) -> ThreadClass:
    """The one class with a level."""
    (cls,) = [cls for cls in profile(text).classes if cls.levels]
    return cls


def test_every_thread_is_a_task() -> None:
    """The deadline is the period where none is said; 1, 4, 3 CPUs beside: the smallest cache counts."""
    expected = (
        Task("motor", 2 * MS, 20 * MS, 20 * MS, 0, 0, 7),
        Task("video[1]", 5 * MS, 40 * MS, 30 * MS, 0, 0, 5),
        Task("video[2]", 5 * MS, 40 * MS, 30 * MS, 0, 0, 5),
    )
    for order, scheduler in (("edf", Scheduler.EDF), ("fixed_priority", Scheduler.FIXED_PRIORITY)):
        for caches, placement in (((1,), Placement.UNIPROCESSOR), ((4, 3), Placement.GLOBAL)):
            resolved = profile(f"policy: {{order: {order}}}\n{FITS}", caches)
            found = domain_of(resolved)
            supply = supply_of(resolved.policy, resolved.facts)
            assert found.found == TaskSet(expected, min(caches), scheduler, placement, supply)
            assert found.owners == ("motor", "video", "video")
            assert (found.silent, found.unproven_level, found.all_cpus) == ((), 0, sum(caches))


def test_isolated_cpus_are_not_counted() -> None:
    facts = host(2, 4)
    part = replace(facts, cpus=tuple(replace(cpu, isolated=cpu.number in (0, 1, 2)) for cpu in facts.cpus))
    assert smallest_cache(part) == 3


@pytest.mark.parametrize("said", [*product((False, True), repeat=3)])
def test_who_is_told_says_all_three(said: tuple[bool, ...]) -> None:
    runtime, period, threads = said
    keys = [key for key, is_said in zip(("runtime", "period", "threads"), said, strict=True) if not is_said]
    resolved = profile(classes(motor=MOTOR))
    cls = only(classes(motor=MOTOR))
    cls = replace(cls, runtime_ns=cls.runtime_ns if runtime else None)
    cls = replace(cls, period_ns=cls.period_ns if period else None, threads=1 if threads else None)
    found = domain_of(replace(resolved, classes=(cls,)))
    assert found.silent == ((cls,) if keys else ())
    assert len(found.found.tasks) == (not keys)
    if keys:
        assert missing(cls) == f"no {', '.join(keys)}"
        assert f"nothing is claimed for motor ({missing(cls)}), nor for levels that are not above" in (
            found.assumptions
        )


def test_too_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "MAX_THREADS", 3)
    assert len(domain_of(profile(FITS)).found.tasks) == 3
    resolved = profile(FITS.replace("threads: 2", "threads: 3"))
    found = domain_of(resolved)
    assert (found.found.tasks, found.owners, found.unproven_level) == ((), (), 7)
    assert found.silent == tuple(cls for cls in resolved.classes if cls.levels)
    assert missing(found.silent[0]) == "too many threads"
    assert (
        "nothing is claimed for motor (too many threads), video (too many threads),"
        " nor for levels that are not above"
    ) in found.assumptions


@pytest.mark.parametrize(("hz", "tick_ns"), [(250, 4_000_000), (300, 3_333_334), (None, 10_000_000)])
def test_ticks_of_the_supply(hz: int | None, tick_ns: int) -> None:
    """Rate 1 - 10 % - 1 %; per tier 1 ms owed and 0.25 ms late, and its share of a tick, rounded up to ns."""
    supply = supply_of(profile(FITS).policy, host(1, hz=hz))
    assert supply.rate == Fraction(89, 100)
    assert supply.delay_ns == (2_500_000 + Fraction(11 * tick_ns, 100)) / Fraction(89, 100)


def blocked(text: str) -> dict[str, int]:
    """Task -> its blocking in ms."""
    return {task.name: task.blocking_ns // MS for task in domain_of(profile(text)).found.tasks}


def test_equals_of_a_level_block_by_deadlines_only_under_edf() -> None:
    text = classes(one=ONE, two=LOW.replace("level: 1", "level: 5"))
    text += "resources: {r: {hold: {one: 1ms, two: 3ms}}}\n"
    assert blocked(text) == {"one": 3, "two": 0}
    assert blocked(FIXED + text) == {"one": 0, "two": 0}


def test_jitter_does_not_change_who_blocks() -> None:
    """A deadline counts from the release here: who is released first is due later by the longer one only."""
    late = ONE.replace("deadline: 30ms", "deadline: 32ms, jitter: 5ms")
    text = classes(one=ONE, late=late) + "resources: {r: {hold: {one: 1ms, late: 3ms}}}\n"
    assert blocked(text) == {"one": 3, "late": 0}


def test_each_thread_may_hold_what_its_class_holds() -> None:
    """By thread 3 + 3, by resource 1 + 3; with one thread, 3."""
    text = FITS + "resources: {r: {hold: {motor: 1ms, video: 1ms}}, s: {hold: {motor: 1ms, video: 3ms}}}\n"
    assert blocked(text) == {"motor": 4, "video[1]": 0, "video[2]": 0}
    assert blocked(text.replace(VIDEO, ONE)) == {"motor": 3, "video": 0}


def test_sections_of_several_add_up() -> None:
    """Motor waits for r of video and for s of low: 2 + 3. Video is delayed by low alone, in s: 3."""
    text = classes(motor=MOTOR, video=ONE, low=LOW)
    text += "resources: {r: {hold: {motor: 1ms, video: 2ms}}, s: {hold: {motor: 1ms, low: 3ms}}}\n"
    assert blocked(text) == {"motor": 5, "video": 3, "low": 0}


def test_resources_inside_each_other() -> None:
    """Motor takes only r, in which video may wait for low in s: 2 + 3. Without `inside`, 2."""
    text = classes(motor=MOTOR, video=ONE, low=LOW)
    text += "resources: {r: {hold: {motor: 1ms, video: 2ms}}, s: {inside: r, hold: {video: 1ms, low: 3ms}}}\n"
    assert blocked(text) == {"motor": 5, "video": 3, "low": 0}
    assert blocked(text.replace("inside: r, ", "")) == {"motor": 2, "video": 3, "low": 0}


def test_a_silent_class_blocks_all_above() -> None:
    text = classes(motor=MOTOR, video=ONE, noise=NOISE)
    text += "resources: {r: {hold: {motor: 1ms, noise: 3ms}}}\n"
    assert blocked(text) == {"motor": 3, "video": 3}


def test_threads_of_a_silent_class_hold_different_resources() -> None:
    """Nobody says how many they are: two hold r and s, 3 + 3. Of low, one thread, one section counts, 3."""
    hold = "resources: {r: {hold: {motor: 1ms, WHO: 3ms}}, s: {hold: {motor: 1ms, WHO: 3ms}}}\n"
    text = classes(motor=MOTOR, low=LOW, noise=NOISE)
    assert blocked(text + hold.replace("WHO", "noise")) == {"motor": 6, "low": 6}
    assert blocked(text + hold.replace("WHO", "low")) == {"motor": 3, "low": 0}
    # at most one thread holds a resource at a time: r of noise or of low, s of noise
    both = hold.replace("{motor: 1ms, WHO: 3ms}}, s", "{motor: 1ms, WHO: 3ms, low: 4ms}}, s").replace(
        "WHO", "noise"
    )
    assert blocked(text + both) == {"motor": 7, "low": 6}


def test_what_only_silent_classes_hold_blocks_nobody_above() -> None:
    text = classes(motor=MOTOR, low=LOW, noise=NOISE)
    text += "resources: {r: {hold: {noise: 3ms}}}\n"
    assert blocked(text) == {"motor": 0, "low": 0}


def test_a_ceiling_reaches_the_tasks_of_its_level() -> None:
    text = classes(motor=MOTOR, video=ONE, low=LOW, noise=NOISE)
    text += "resources: {r: {ceiling: 5, hold: {noise: 3ms}}}\n"
    assert blocked(text) == {"motor": 0, "video": 3, "low": 3}


RECOVERY = "boost: {max_level: MAX, recovery: {after: 1, within: 1s, decay: 1s}}"


def lifted(most: int) -> str:
    return RECOVERY.replace("MAX", str(most))


def test_who_may_miss_is_lifted_by_recovery() -> None:
    """Noise reaches 1; at 1 low may miss, and reaches 5; there video may, and reaches 6, below motor."""
    text = classes(
        motor=MOTOR,
        video=f"{VIDEO}, {lifted(6)}",
        low=f"{LOW}, {lifted(5)}",
    )
    assert domain_of(profile(text)).unproven_level == 0
    noise = classes(noise=NOISE).removeprefix("classes:\n")
    assert domain_of(profile(text + noise)).unproven_level == 6
    assert domain_of(profile(text.replace(f"{LOW}, {lifted(5)}", LOW) + noise)).unproven_level == 1
    assert domain_of(profile(text.replace(lifted(5), lifted(4)) + noise)).unproven_level == 4


def test_how_far_a_silent_class_reaches() -> None:
    """A limit of lifts alone lifts nobody; a measured period may give any level."""
    noise = "level: 3, boost: {max_level: 6}"
    assert domain_of(profile(classes(motor=MOTOR, noise=noise))).unproven_level == 3
    measured = "level: auto, period: auto, rate_monotonic: [{at_most: 10ms, level: 4}, {else: 2}]"
    assert domain_of(profile(classes(motor=MOTOR, noise=measured))).unproven_level == 4


ALWAYS = (
    "fewer than 187 ordinary threads are runnable per CPU: none waits until it is overdue",
    "no SCHED_FIFO, SCHED_RR or SCHED_DEADLINE threads, interrupts or per-CPU kernel threads run",
    "the fair tier takes 10 % of each CPU, the background 1 %",
)


def assumed(text: str, caches: tuple[int, ...] = (1,), hz: int | None = 250) -> tuple[str, ...]:
    resolved: Assignment = replace(profile(text, caches), facts=host(*caches, hz=hz))
    return domain_of(resolved).assumptions


def test_what_is_assumed() -> None:
    """7.5 s / 4 ms are 1875 ticks, a tenth of them 187."""
    assert assumed(FITS) == ALWAYS
    assert assumed(FITS, hz=None) == ("the host's HZ is not known: a tick takes at most 10ms", *ALWAYS)
    assert assumed(FITS, (2,)) == ("all threads may be on the last-level cache, 2 CPUs", *ALWAYS)
    caches = "all threads may be on the smallest of 3 last-level caches, 2 CPUs"
    assert assumed(FITS, (4, 2, 3)) == (caches, *ALWAYS)
    silent = classes(motor=MOTOR, noise="level: 3", game="level: 1, period: 20ms")
    assert assumed(silent)[0] == (
        "nothing is claimed for noise (no runtime, period, threads), game (no runtime, threads),"
        " nor for levels that are not above"
    )


@pytest.mark.parametrize("overrun", ["ignore", "postpone"])
def test_who_is_not_held_to_its_runtime(overrun: str) -> None:
    text = classes(motor=f"{MOTOR}, overrun: {overrun}", video=f"{VIDEO}, overrun: demote")
    said = f"motor keeps its runtime by itself: 'overrun: {overrun}' protects no lower level"
    assert assumed(text) == (said, *ALWAYS)
