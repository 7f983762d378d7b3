# SPDX-License-Identifier: GPL-2.0-only
"""The fair tier divides the CPU by nice, class and cgroup weights. Guest time can be compared on one CPU."""

from __future__ import annotations

from fractions import Fraction

from tests.conftest import Guest
from tests.sched.measure import cpu_time

PROFILE = """
schedctl: 1
name: lab
classes:
  heavy: {match: [{comm: heavy}], tier: fair, weight: 300}
"""
# Of nice -5, 0, 5, 10 and 15: sched_prio_to_weight[] in the kernel's kernel/sched/core.c
MINUS_5, ZERO, FIVE, TEN, FIFTEEN = 3121, 1024, 335, 110, 36
CGROUPS = """
cd /sys/fs/cgroup && echo +cpu > cgroup.subtree_control
mkdir -p a/x b/y && echo +cpu > a/cgroup.subtree_control && echo +cpu > b/cgroup.subtree_control
echo 200 > a/cpu.weight; echo 50 > a/x/cpu.weight; echo 100 > b/cpu.weight; echo 400 > b/y/cpu.weight
"""
NO_CGROUPS = "cd /sys/fs/cgroup && rmdir a/x a b/y b"


def assert_ratios(got: dict[str, int], **weights: int | Fraction) -> None:
    """CPU times are within 5 % of the ratios of the weights."""
    (first, first_weight), *others = weights.items()
    for name, weight in others:
        ratio = Fraction(got[first], got[name]) * weight / first_weight
        assert abs(ratio - 1) <= Fraction(5, 100), (first, name, float(ratio), got)


def test_nice(lab1: Guest) -> None:
    lab1.apply(PROFILE)
    got = cpu_time(lab1, 4, "minus5:1:-1:0:-5", "zero:1:-1:0", "five:1:-1:0:5")
    assert_ratios(got, minus5=MINUS_5, zero=ZERO, five=FIVE)
    got = cpu_time(lab1, 6, "zero:1:-1:0", "ten:1:-1:0:10", "fifteen:1:-1:0:15")
    assert_ratios(got, zero=ZERO, ten=TEN, fifteen=FIFTEEN)


def test_weights_of_classes_and_cgroups(lab1: Guest) -> None:
    """Along a path of two cgroups, multiplied with the class's and nice; a change is followed at once."""
    lab1.apply(PROFILE)
    lab1.sh(CGROUPS)
    try:
        change = "-- 'echo 800 > /sys/fs/cgroup/a/cpu.weight'"
        groups = ("x:1:-1:0:0:/a/x", "y:1:-1:0:0:/b/y", "heavy:1:-1:0:5:/a/x")
        command = f"/root/share 4 {' '.join(groups)} {change}"
        lines = lab1.sh(command, timeout=240).splitlines()
    finally:
        lab1.sh(NO_CGROUPS)
    phases = [dict[str, int](), dict[str, int]()]
    for i, (name, ns) in enumerate(map(str.split, lines)):
        phases[i // (len(groups) + 1)][name] = int(ns)
    assert_ratios(phases[0], x=1, y=4, heavy=Fraction(3 * FIVE, ZERO))
    assert_ratios(phases[1], x=4, y=4, heavy=4 * Fraction(3 * FIVE, ZERO))
