# SPDX-License-Identifier: GPL-2.0-only
"""A CPU leaves and comes back under load: no thread is lost, the scheduler stays."""

from __future__ import annotations

from tests.conftest import Guest

PROFILE = """
schedctl: 1
name: lab
classes:
  bound: {match: [{comm: bound}], level: 5}
  batch: {match: [{comm: batch}], tier: background}
"""
# Four cycles while threads of each tier run, some of them bound to the CPU that goes.
CYCLES = """
/root/share 6 bound:1:1:0 fair:2:1:0 fair:2:-1:0 batch:2:-1:0 > /root/out & load=$!
sleep 1
for i in 1 2 3 4; do
    echo 0 > /sys/devices/system/cpu/cpu1/online || exit 1
    sleep 0.5
    echo 1 > /sys/devices/system/cpu/cpu1/online || exit 1
    sleep 0.5
done
wait $load && cat /root/out
"""


def test_a_cpu_goes_and_comes_back(lab: Guest) -> None:
    lab.apply(PROFILE)
    before = lab.status()
    got = dict(line.split() for line in lab.sh(CYCLES).splitlines())
    after = lab.status()
    assert (after["state"], after["enable_seq"]) == ("enabled", before["enable_seq"])
    for name in ("nr_cpu_offline", "nr_cpu_online"):
        assert after["counters"][name] - before["counters"][name] == 4
    assert all(int(ns) > 0 for ns in got.values()), got


def test_suspend(lab: Guest) -> None:
    """As far as the emulator goes, which does not wake up again: all threads are frozen, and thawed."""
    lab.apply(PROFILE)
    before = lab.status()
    lab.sh("/root/share 12 bound:1:1:0 fair:2:-1:0 batch:1:-1:0 > /root/out 2>&1 & sleep 1")
    lab.sh("echo freezer > /sys/power/pm_test && echo mem > /sys/power/state", timeout=300)
    got = lab.sh("while pgrep -x share > /dev/null; do sleep 0.2; done; cat /root/out", timeout=300)
    after = lab.status()
    assert (after["state"], after["enable_seq"]) == ("enabled", before["enable_seq"])
    assert all(int(line.split()[1]) > 0 for line in got.splitlines()), got
