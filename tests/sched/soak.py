# SPDX-License-Identifier: GPL-2.0-only
"""`python -m tests.sched.soak [MINUTES]`: MINUTES of hostile load per order, on two CPUs; 10 by default.

stress-ng, hackbench and all that load/hostile.c can do, at every level and in every tier. A line per
minute. Exit status 1 where the scheduler did not stay, a thread went past it, or a kind of load got no CPU
time in a minute, or never came round. How often it does depends on how fast the emulator is.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from tests.conftest import CONFIGS, Guest
from tests.lab.vm import VM, bootstrap, slot
from tests.sched.hostile import Load, hostile, nothing_ejected

ORDERS = ("edf", "fixed_priority")
SECONDS = 60
PROFILE = """
schedctl: 1
name: soak
policy: {{order: {order}}}
classes:
  urgent: {{match: [{{comm: "stress-ng-cpu*"}}], level: 6}}
  messages: {{match: [{{comm: hackbench}}], level: 3, deadline: 5ms}}
  forks: {{match: [{{comm: "stress-ng-fork*"}}], tier: background}}
  hog: {{match: [{{comm: hog}}], level: 7}}
  limited: {{match: [{{comm: limited}}], level: 5, runtime: 2ms, period: 20ms}}
  postponed: {{match: [{{comm: postponed}}], level: 5, runtime: 2ms, period: 20ms, overrun: OVERRUN}}
  demoted: {{match: [{{comm: demoted}}], level: 5, runtime: 2ms, period: 20ms, overrun: demote}}
  other: {{match: [{{comm: renamed1}}], tier: background}}
"""
# A budget can be postponed only where deadlines decide.
OVERRUNS = {"edf": "postpone", "fixed_priority": "ignore"}
GROUPS = (
    "spin:hog",
    "spin:limited:2",
    "spin:postponed",
    "spin:demoted",
    "affinity:limited",
    "nice:demoted",
    "spin:probe",
    "spin:bound:2:1",
    *("fork:fork:1:-1:1000", "exec:exec:1:-1:1000", "exit", "write", "yield", "tick"),
    *("affinity", "nice", "policy", "batch", "idle", "name", "bpf"),
)
OTHERS = f"""
end=$(($(cut -d. -f1 /proc/uptime) + {SECONDS}))
stress-ng --quiet --timeout {SECONDS}s --cpu 2 --fork 1 --switch 1 --schedmix 1 & stress=$!
while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do hackbench -g 1 -l 50 > /dev/null; done
wait $stress
"""


def minute(guest: Guest) -> Load:
    with nothing_ejected(guest):
        load = hostile(guest, SECONDS, *GROUPS, meanwhile=OTHERS)
    idle = [name for name, group in load.groups.items() if not group.cpu_ns or not group.alive]
    assert not idle, f"no CPU time: {idle}"
    return load


def soak(order: str, minutes: int) -> None:
    with slot(), VM(CONFIGS["lab"]) as vm:
        guest = Guest(vm)
        print(f"{order}: kernel {guest.sh('uname -r').strip()}, two CPUs")
        guest.apply(PROFILE.format(order=order).replace("OVERRUN", OVERRUNS[order]))
        before = guest.status()["counters"]
        rounds: Counter[str] = Counter()
        for number in range(1, minutes + 1):
            load = minute(guest)
            rounds.update({name: group.operations for name, group in load.groups.items()})
            counters = guest.status()["counters"]
            risen = {name: counters[name] - before[name] for name in ("nr_overdue", "nr_owed", "nr_unparked")}
            fair, background = (ns * 50 // load.elapsed_ns for ns in (load.fair_ns, load.background_ns))
            longest_ms = load["probe"].longest_ns // 1_000_000
            print(
                f"{order}: minute {number}: fair {fair} %, background {background} % of two CPUs;"
                f" a fair spinner waited {longest_ms} ms at most;"
                f" {', '.join(f'{name} {nr}' for name, nr in risen.items())}",
                flush=True,
            )
            before = counters
        rarest = min(rounds, key=lambda name: rounds[name])
        print(f"{order}: each kind of load came round, the least often {rarest}: {rounds[rarest]} times")
        assert rounds[rarest]
        assert guest.schedctl("detach")["exit"] == 0


def main() -> None:
    minutes = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    _, qemu = bootstrap("standard")
    version = ["chroot", str(qemu), "qemu-system-x86_64", "--version"]
    print(subprocess.run(version, capture_output=True, text=True, check=True).stdout.splitlines()[0])
    for order in ORDERS:
        soak(order, minutes)
    print(f"{minutes} minutes per order: the scheduler stayed, and no thread went past it")


if __name__ == "__main__":
    main()
