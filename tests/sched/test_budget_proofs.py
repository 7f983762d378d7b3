# SPDX-License-Identifier: GPL-2.0-only
"""Budgets, slices, shares and lifts act in a real kernel, and only then."""

from __future__ import annotations

import json
from fractions import Fraction

from tests.conftest import Guest
from tests.proof import proof
from tests.sched.measure import NEAR, NEIGHBORS, SPIN, cpu_time, finish_order, jobs, wakeup_ns

MS = 1_000_000
OVERRUN = NEIGHBORS.replace("VALUE", "deadline: 1ms, runtime: 300us, overrun: VALUE")


def neighbor_is_never_late(guest: Guest) -> None:
    near = jobs(guest, 2, SPIN, NEAR)["near"]
    assert near.jobs >= 390
    assert not near.late, near


@proof(
    knob="classes.*.runtime",
    profile=NEIGHBORS,
    on="runtime: 300us",
    off="precedence: 0",
    counter="classes.spin.overruns",
)
def test_runtime(guest: Guest) -> None:
    """A thread gets no more than its budget in each period"""
    neighbor_is_never_late(guest)


@proof(
    knob="classes.*.overrun",
    profile=OVERRUN,
    on="throttle",
    off="ignore",
    counter="classes.spin.throttled",
)
def test_throttle(guest: Guest) -> None:
    """A thread over its budget waits for its next period"""
    neighbor_is_never_late(guest)


@proof(
    knob="classes.*.overrun",
    profile=OVERRUN,
    on="postpone",
    off="ignore",
    counter="classes.spin.postponed",
)
def test_postpone(guest: Guest) -> None:
    """A thread over its budget goes behind its equals by a period"""
    neighbor_is_never_late(guest)


@proof(
    knob="classes.*.overrun",
    profile=OVERRUN,
    on="demote",
    off="ignore",
    counter="classes.spin.demoted",
)
def test_demote(guest: Guest) -> None:
    """A thread over its budget is fair until its next period"""
    neighbor_is_never_late(guest)


@proof(
    knob="classes.*.threads",
    profile="""
schedctl: 1
name: lab
classes:
  first: {match: [{comm: "job-a*"}], level: 6, threads: VALUE}
  second: {match: [{comm: "job-b*"}], level: 4}
""",
    on="1",
    off="2",
    counter="classes.first.over_population",
)
def test_threads(guest: Guest) -> None:
    """More threads than a class has places for run as fair"""
    assert finish_order(guest, "job-a1 job-a2 job-b")[-1].startswith("job-a")


@proof(
    knob="classes.*.slice",
    profile="""
schedctl: 1
name: lab
policy: {order: fixed_priority}
classes:
  hog: {match: [{comm: hog}], level: 6, slice: VALUE}
  urgent: {match: [{comm: urgent}], level: 6}
""",
    on="1ms",
    off="50ms",
    counter="counters.nr_timer_armed",
    residue=Fraction(1, 5),
)
def test_slice(guest: Guest) -> None:
    """A slice bounds how long an equal waits, also below the tick"""
    assert wakeup_ns(guest, "urgent", hogs=1, count=60).p99 <= 2 * MS


@proof(
    knob="policy.background_share",
    profile="""
schedctl: 1
name: lab
policy: {background_share: VALUE}
classes:
  idler: {match: [{comm: idler}], tier: background}
""",
    on="50%",
    off="1%",
    counter="counters.nr_owed",
    residue=Fraction(1, 5),
)
def test_background_share(guest: Guest) -> None:
    """The background tier gets its share beside the fair one"""
    got = cpu_time(guest, 2, "idler:1:0:0", "fair:1:0:0")
    assert got["idler"] >= Fraction(2, 5) * got["elapsed"], got


# `late` loses against `hog`, whose deadline is always the earlier one, until it is lifted above it.
RECOVERY = """
schedctl: 1
name: lab
policy: {order: edf, fair_share: 1%}
classes:
  hog: {match: [{comm: hog}], level: HOG, deadline: 1ms}
  late:
    match: [{comm: late}]
    level: 3
    period: 10ms
    boost: {max_level: MAX, recovery: {after: AFTER, within: WITHIN, decay: DECAY}}
"""


def recovery(
    hog: str = "3", most: str = "7", after: str = "3", within: str = "1s", decay: str = "60s"
) -> str:
    text = RECOVERY.replace("HOG", hog).replace("MAX", most).replace("AFTER", after)
    return text.replace("WITHIN", within).replace("DECAY", decay)


def late_jobs(guest: Guest) -> int:
    """Of 200 jobs, each 10 ms, beside a spinner of another class."""
    return jobs(guest, 2, "hog:0:0:0", "late:10000:10000:50000")["late"].late


def test_a_job_past_its_deadline_is_counted_while_it_runs(lab1: Guest) -> None:
    """It never sleeps: no job ends, and there is no tardiness yet."""
    lab1.apply(NEIGHBORS.replace("period: 3ms, VALUE", "deadline: 20ms"))
    spin = f"/root/jobs 60 {SPIN} > /dev/null 2>&1 &"
    said = lab1.sh(f"{spin} sleep 1.5; schedctl status --json; kill -KILL $!; true")
    found = json.loads(said)["classes"]["spin"]
    assert (found["misses"], found["tardiness_ns"]) == (1, None), found


@proof(
    knob="classes.*.boost.recovery.after",
    profile=recovery(after="VALUE"),
    on="3",
    off="1000",
    counter="classes.late.lifted",
)
def test_recovery_after(guest: Guest) -> None:
    """A thread that misses deadlines is lifted"""
    assert late_jobs(guest) <= 20


@proof(
    knob="classes.*.boost.recovery.within",
    profile=recovery(within="VALUE"),
    on="1s",
    off="1ms",
    counter="classes.late.lifted",
)
def test_recovery_within(guest: Guest) -> None:
    """Only misses that lie close together lift a thread"""
    assert late_jobs(guest) <= 20


@proof(
    knob="classes.*.boost.recovery.decay",
    profile=recovery(decay="VALUE"),
    on="20ms",
    off="60s",
    counter="classes.late.lifted",
    residue=Fraction(1, 5),
)
def test_recovery_decay(guest: Guest) -> None:
    """A level that recovery gave is taken back after a quiet time"""
    assert late_jobs(guest) >= 30


@proof(
    knob="classes.*.boost.max_level",
    profile=recovery(hog="4", most="VALUE"),
    on="5",
    off="4",
    counter="classes.late.lifted",
    residue=Fraction(1, 2),
)
def test_max_level(guest: Guest) -> None:
    """No lift goes beyond the class's max_level"""
    assert late_jobs(guest) <= 20


TRACING = "/sys/kernel/tracing"


def frequencies(guest: Guest, load: str) -> list[int]:
    """What the kernel is asked for during the load, in 1/1024 of full speed."""
    # systemd unmounts it when something that was mounted over /sys/kernel goes
    guest.sh(f"mountpoint -q {TRACING} || mount -t tracefs tracefs {TRACING}")
    probe = "p:perf scx_bpf_cpuperf_set cpu=%di:s32 perf=%si:u32"
    begin = f"cd {TRACING}; echo '{probe}' > kprobe_events; echo > trace; echo 1 > events/kprobes/perf/enable"
    end = "echo 0 > events/kprobes/perf/enable; grep -o 'perf=[0-9]*' trace || true; echo > kprobe_events"
    lines = guest.sh(f"set -e; {begin}; {load}; {end}").splitlines()
    return [int(line.removeprefix("perf=")) for line in lines if line.startswith("perf=")]


@proof(
    knob="policy.power",
    profile="""
schedctl: 1
name: lab
policy: {power: VALUE}
classes:
  beat: {match: [{comm: beat}], level: 3}
""",
    on="balanced",
    off="performance",
    counter="counters.nr_cpuperf",
    residue=Fraction(1, 2),
)
def test_power(guest: Guest) -> None:
    """The CPU's frequency follows its utilization"""
    asked = frequencies(
        guest, "for i in 1 2 3; do /root/wake beat 300 1000 20000; /root/jobs 1 beat:0:0:0; done"
    )
    assert any(perf < 600 for perf in asked), asked


def test_urgent_levels_run_at_full_speed(lab1: Guest) -> None:
    lab1.apply("""
schedctl: 1
name: lab
classes:
  urgent: {match: [{comm: urgent}], level: 5}
""")
    both = "/root/wake other 400 1000 10000 & /root/wake urgent 400 1000 10000; wait"
    asked = frequencies(lab1, both)
    assert min(asked) < 600
    assert asked.count(1024) >= 5, asked
