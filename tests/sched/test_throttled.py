# SPDX-License-Identifier: GPL-2.0-only
"""Whatever happens to a thread that waits for its next period: it is back with that, or gone."""

from __future__ import annotations

from fractions import Fraction

from tests.conftest import Guest
from tests.sched.hostile import NEVER, events, hostile, nothing_ejected
from tests.sched.measure import jobs

# Parked for nearly all of each period: so is the thread that something happens to.
PROFILE = """
schedctl: 1
name: lab
classes:
  spin: {match: [{comm: "spin*"}], level: 6, runtime: RUNTIME, period: 1s, overrun: throttle}
"""
PERIOD_NS = 1_000_000_000
BUDGET = "schedctl: 1\nname: lab\nclasses:\n  spin: {match: [{comm: spin}], level: 6, VALUE}\n"
NAMES = ("kill", "exit", "stop", "name", "nice", "bound", "batch", "fifo", "none")
# Each to the threads of one process; what has ended is gone within a period.
HAPPENINGS = """
sleep 1.5
pkill -KILL -x spin-kill; pkill -USR2 -x spin-exit; pkill -USR1 -x spin-name
stop=$(pgrep -o -x spin-stop); kill -STOP $stop; renice -n 5 -p $(pgrep -o -x spin-nice) > /dev/null
taskset -p 1 $(pgrep -o -x spin-bound) > /dev/null; kill -CONT $stop
batch=$(pgrep -o -x spin-batch); chrt -b -p 0 $batch; chrt -o -p 0 $batch
fifo=$(pgrep -o -x spin-fifo); chrt -f 50 sh -c "chrt -f -p 1 $fifo; chrt -o -p 0 $fifo"
sleep 1.2; ps -C spin-kill,spin-exit -o stat= | grep -v Z > /root/left
"""


def profile(runtime: str = "10ms") -> str:
    return PROFILE.replace("RUNTIME", runtime)


def test_a_budget_is_used_and_no_more(lab1: Guest) -> None:
    """By a spinner that is alone on its CPU."""
    for value, stated in (("runtime: 300us, period: 3ms", 10), ("runtime: 10ms, period: 50ms", 5)):
        lab1.apply(BUDGET.replace("VALUE", value))
        with nothing_ejected(lab1):
            got = jobs(lab1, 2, "spin:0:0:0")["spin"]
        assert abs(Fraction(got.cpu_ns, got.elapsed_ns) * stated - 1) <= Fraction(1, 10), got


def test_a_job_before_its_period_gets_no_budget_of_its_own(lab1: Guest) -> None:
    """With a deadline of a third of the period: a quarter of each ms for 300 us declared in each 3 ms."""
    lab1.apply(BUDGET.replace("VALUE", "runtime: 300us, period: 3ms, deadline: 1ms"))
    got = jobs(lab1, 2, "spin:1000:1000:15000")["spin"]
    assert abs(Fraction(got.cpu_ns, got.elapsed_ns) * 10 - 1) <= Fraction(1, 10), got


def test_a_budget_longer_than_a_tick_ends_between_two(lab1: Guest) -> None:
    """Whoever is less urgent waits for 5 ms, and not for the second tick, at 8 ms."""
    second = "  near: {match: [{comm: near}], level: 5}\n"
    lab1.apply(BUDGET.replace("VALUE", "runtime: 5ms, period: 20ms") + second)
    near = jobs(lab1, 2, "spin:0:0:0", "near:10000:6500:10000")["near"]
    assert near.jobs >= 190
    assert not near.late, near


def test_an_attach_on_a_busy_cpu_leaves_nothing_to_explain(lab1: Guest) -> None:
    """The kernel refills slices in its own bypass; no thread went past the scheduler."""
    lab1.schedctl("detach")
    lab1.sh("setsid /root/hostile 60 spin:spin:3:-1:0 > /dev/null 2>&1 & sleep 1")
    try:
        lab1.apply(profile())
        assert events(lab1)["SCX_EV_REFILL_SLICE_DFL"] > 0
        assert "should be 0" not in lab1.sh("schedctl status")
    finally:
        lab1.sh("pkill -KILL hostile")


def test_a_throttled_thread_is_never_lost(lab1: Guest) -> None:
    """Killed, ended, stopped, renamed, given another nice, affinity or scheduling class."""
    lab1.apply(profile())
    with nothing_ejected(lab1):
        load = hostile(lab1, 5, *(f"ear:spin-{name}" for name in NAMES), meanwhile=HAPPENINGS)
    assert lab1.sh("cat /root/left; rm /root/left") == ""
    for name in NAMES:
        group = load[f"spin-{name}"]
        assert group.alive == (name not in ("kill", "exit")), (name, group)
        assert group.longest_ns <= PERIOD_NS + PERIOD_NS // 20, (name, group)
    assert load["spin-none"].cpu_ns <= Fraction(7, 100) * PERIOD_NS, load


def test_another_policy_and_a_detach_find_who_is_throttled(lab1: Guest) -> None:
    lab1.apply(profile())
    lab1.sh("setsid /root/hostile 9 spin:spin:3:-1:0 > /root/out 2>&1 &")
    lab1.sh("sleep 1.5")
    lab1.apply(profile("20ms"))
    lab1.sh("sleep 1.5")
    assert lab1.status()["classes"]["spin"]["throttled"] > 0
    assert lab1.schedctl("detach")["exit"] == 0
    spin = lab1.sh("while pgrep -x hostile > /dev/null; do sleep 0.2; done; cat /root/out").splitlines()[0]
    _, alive, _, cpu_ns, longest_ns = spin.split()
    assert int(alive) == 3
    assert int(longest_ns) <= PERIOD_NS + PERIOD_NS // 20
    assert int(cpu_ns) >= PERIOD_NS, "throttled without a scheduler of ours"


CYCLES = """
sleep 1; for i in 1 2; do
    echo 0 > /sys/devices/system/cpu/cpu1/online; sleep 2.5
    echo 1 > /sys/devices/system/cpu/cpu1/online; sleep 0.7
done
"""


def test_a_cpu_goes_while_threads_are_throttled(lab: Guest) -> None:
    """It is away for longer than a period. Flips of affinity and BPF programs move others beside them."""
    # of a length beside which the emulator's turns of its CPUs, 0.1 s each, do not count
    lab.apply(profile("150ms"))
    before = lab.status()
    counts = events(lab)
    groups = ("spin:spin-free:2", "spin:spin-bound:1:1", "affinity:spin-flip", "affinity", "bpf")
    load = hostile(lab, 9, *groups, meanwhile=CYCLES)
    after = lab.status()
    assert (after["state"], after["enable_seq"]) == ("enabled", before["enable_seq"])
    for name in ("spin-free", "spin-bound"):
        assert load[name].longest_ns <= Fraction(3, 2) * PERIOD_NS, (name, load)
    # the kernel itself moves the threads of a CPU that goes by its local queue
    moved = {name: nr - counts[name] for name, nr in events(lab).items() if name in NEVER}
    del moved["SCX_EV_REFILL_SLICE_DFL"]
    assert not any(moved.values()), moved
    # the kernel's own interrupt work still goes on there, or this would not come back
    assert lab.schedctl("detach")["exit"] == 0
