# SPDX-License-Identifier: GPL-2.0-only
"""What each tier gets under a load that would take everything. Guest time can be compared on one CPU."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.conftest import Guest
from tests.sched.measure import cpu_time, wakeup_ns

HOGS = """
schedctl: 1
name: lab
policy: {{order: {order}, fair_share: {share}}}
classes:
  hog: {{match: [{{comm: hog}}], level: 7}}
  urgent: {{match: [{{comm: urgent}}], level: 7}}
"""


@pytest.mark.parametrize(("order", "share"), [("edf", "10%"), ("fixed_priority", "30%")])
def test_a_fair_thread_gets_the_fair_share(lab1: Guest, order: str, share: str) -> None:
    lab1.apply(HOGS.format(order=order, share=share))
    got = cpu_time(lab1, 3, "hog:2:-1:0", "fair:1:-1:0")
    stated = Fraction(share.rstrip("%")) / 100
    assert abs(Fraction(got["fair"], got["elapsed"]) - stated) <= Fraction(2, 100), got


def test_two_thousand_fair_spinners_leave_level_7_half(lab1: Guest) -> None:
    lab1.apply(HOGS.format(order="edf", share="10%"))
    before = lab1.status()
    got = cpu_time(lab1, 12, "hog:1:-1:0", "fair:2000:-1:1000")
    after = lab1.status()
    assert got["hog"] >= got["elapsed"] / 2, got
    assert got["fair"] > 0
    assert (after["state"], after["enable_seq"]) == ("enabled", before["enable_seq"])


def test_wake_ups_are_five_times_earlier_than_by_default(lab1: Guest) -> None:
    lab1.sh("schedctl detach")
    default = wakeup_ns(lab1, "urgent", hogs=4)
    lab1.apply(HOGS.format(order="edf", share="10%"))
    ours = wakeup_ns(lab1, "urgent", hogs=4, hog="load")
    assert ours.p99 * 5 <= default.p99, (ours, default)
    assert lab1.status()["classes"]["urgent"]["preemptions"] >= 150


def test_the_maximum_wait_reaches_every_thread(lab1: Guest) -> None:
    """Each of four spinners below a hog, in more than a quarter of the watchdog's 30 s."""
    late = "  late: {match: [{comm: late*}], level: 2}\n"
    lab1.apply(
        HOGS.format(order="fixed_priority", share="1%").replace("hog], level: 7", "hog], level: 6") + late
    )
    # its wake-ups make the CPU choose anew between two ticks: quanta end before a slice is used up
    lab1.sh("setsid /root/wake urgent 8000 2000 10000 > /root/wake.out 2>&1 &")
    names = ["late1", "late2", "late3", "late4"]
    got = cpu_time(lab1, 10, "hog:1:0:0", *(f"{name}:1:0:0" for name in names))
    assert min(got[name] for name in names) > 0, got
