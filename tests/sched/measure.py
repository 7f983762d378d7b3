# SPDX-License-Identifier: GPL-2.0-only
"""The load programs' results, typed. Work is in iterations, times are the guest's, in ns."""

from __future__ import annotations

from dataclasses import dataclass

from schedctl.image.task import TaskContext, decode_task
from tests.conftest import Guest

JOB_ITERATIONS = 10_000_000
PIN = "/sys/fs/bpf/schedctl/maps/task_ctxs"
# A thread that never sleeps, and beside it half a millisecond of work each 5 ms on the same level.
SPIN, NEAR = "spin:0:0:0", "near:5000:5000:50000"
NEIGHBORS = """
schedctl: 1
name: lab
policy: {order: edf}
classes:
  spin: {match: [{comm: spin}], level: 7, period: 3ms, VALUE}
  near: {match: [{comm: near}], level: 7, period: 5ms}
"""


def finish_order(guest: Guest, jobs: str, cpu: int = 0, cgroup: str = "") -> list[str]:
    """The names in the order in which equal jobs (NAME[@MS late]...) on one CPU finish."""
    enter = f"mkdir -p /sys/fs/cgroup{cgroup} && echo $$ > /sys/fs/cgroup{cgroup}/cgroup.procs && "
    leave = " ; echo $$ > /sys/fs/cgroup/cgroup.procs" if cgroup else ""
    command = f"{enter if cgroup else ''}/root/order {cpu} {JOB_ITERATIONS} {jobs}{leave}"
    return [line.split()[0] for line in guest.sh(command).splitlines()]


def cpu_time(guest: Guest, seconds: int, *groups: str) -> dict[str, int]:
    """CPU time by name of groups of spinners (NAME:COUNT:CPU:UID), and `elapsed`."""
    lines = guest.sh(f"/root/share {seconds} {' '.join(groups)}", timeout=120 + 20 * seconds).splitlines()
    got: dict[str, int] = {}
    for name, ns in (line.split() for line in lines):
        got[name] = got.get(name, 0) + int(ns)
    return got


@dataclass(frozen=True, slots=True)
class Wakeup:
    p50: int
    p99: int
    max: int


def wakeup_ns(guest: Guest, name: str, hogs: int, hog: str = "hog", count: int = 200) -> Wakeup:
    """How late a thread wakes up that sleeps for 1 to 3 ms, beside spinners."""
    load = f"/root/share 60 {hog}:{hogs}:-1:0 > /dev/null & sleep 0.7; "
    run = f"/root/wake {name} {count} 2000 10000; status=$?; pkill -KILL -x share; pkill -KILL -x {hog}"
    p50, p99, longest = guest.sh(f"{load}{run}; exit $status").split()
    return Wakeup(int(p50), int(p99), int(longest))


@dataclass(frozen=True, slots=True)
class Jobs:
    jobs: int
    late: int
    longest_ns: int  # the longest time from a release to the end of its job
    cpu_ns: int
    elapsed_ns: int


def jobs(guest: Guest, seconds: int, *threads: str) -> dict[str, Jobs]:
    """By name, what became of threads NAME:PERIOD_US:DEADLINE_US:WORK (period 0: it spins), on CPU 0."""
    lines = guest.sh(f"/root/jobs {seconds} {' '.join(threads)}", timeout=120 + 20 * seconds).splitlines()
    return {name: Jobs(*map(int, numbers)) for name, *numbers in map(str.split, lines)}


def contexts(guest: Guest, *names: str) -> dict[str, TaskContext]:
    """What the scheduler keeps about the only thread of each name."""
    pids = guest.sh("; ".join(f"pgrep -x {name}" for name in names)).split()
    lines = guest.sh(f"printf '%s\\n' {' '.join(pids)} | /root/classes {PIN}").splitlines()
    tasks = (decode_task(bytes.fromhex(line.split()[1])) for line in lines)
    return dict(zip(names, tasks, strict=True))
