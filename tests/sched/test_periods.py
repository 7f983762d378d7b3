# SPDX-License-Identifier: GPL-2.0-only
"""Periods that a real kernel measures, and the levels that follow from them."""

from __future__ import annotations

from fractions import Fraction

from tests.conftest import Guest
from tests.proof import proof
from tests.sched.measure import contexts

MEASURED = """
schedctl: 1
name: lab
policy: {fair_share: 1%}
classes:
  hog: {match: [{comm: hog}], level: 4}
  beat: {match: [{comm: beat*}], VALUE}
"""
STEPS = "rate_monotonic: [{at_most: 17ms, level: 6}, {else: 2}]"


def is_lifted_by_its_rate(guest: Guest) -> None:
    """240 jobs at 60 Hz; for the second half of them a spinner of level 4 wants the CPU as well."""
    guest.sh("/root/jobs 4 beat:16667:16667:50000 > /root/beat.out 2>&1 & sleep 2; /root/jobs 1 hog:0:0:0")
    late = int(guest.sh("while pgrep -x jobs > /dev/null; do sleep 0.2; done; cat /root/beat.out").split()[2])
    assert late <= 10


@proof(
    knob="classes.*.period",
    profile=MEASURED.replace("VALUE", f"level: auto, {STEPS}, period: VALUE"),
    on="auto",
    off="1s",
    counter="classes.beat.releveled",
)
def test_measured_period(guest: Guest) -> None:
    """A period can be measured"""
    is_lifted_by_its_rate(guest)


@proof(
    knob="classes.*.level",
    profile=MEASURED.replace("VALUE", "period: auto, level: VALUE"),
    on="auto",
    off="2",
    counter="classes.beat.releveled",
)
def test_level_by_rate(guest: Guest) -> None:
    """A level can follow from the measured period"""
    is_lifted_by_its_rate(guest)


@proof(
    knob="classes.*.rate_monotonic",
    profile=MEASURED.replace("VALUE", "period: auto, level: auto, rate_monotonic: VALUE"),
    on="[{at_most: 17ms, level: 6}, {else: 2}]",
    off="[{at_most: 5ms, level: 6}, {else: 2}]",
    counter="classes.beat.releveled",
)
def test_rate_monotonic(guest: Guest) -> None:
    """The table of rate_monotonic says which level a period has"""
    is_lifted_by_its_rate(guest)


def test_periods_within_two_per_cent(lab1: Guest) -> None:
    """60, 144 and 1000 Hz two seconds after their first release, above a spinner; a random one has none."""
    lab1.apply(MEASURED.replace("VALUE", "period: auto, level: 5").replace("1%", "40%"))
    hertz = {"beat60": 16_667_000, "beat144": 6_944_000, "beat1000": 1_000_000}
    threads = " ".join(f"{name}:{ns // 1000}:{ns // 1000}:1000" for name, ns in hertz.items())
    lab1.sh(f"/root/jobs 60 {threads} beat-random:~5000:9999:1000 hog:0:0:0 > /dev/null 2>&1 & sleep 2.3")
    found = contexts(lab1, *hertz)
    (steady,) = lab1.schedctl("explain", "beat60")["threads"][0]["measured"]
    (random,) = lab1.schedctl("explain", "beat-random")["threads"][0]["measured"]
    unmeasured = lab1.schedctl("explain", "hog")["threads"][0]["measured"]
    lab1.sh("pkill -x jobs; pkill beat; pkill hog")
    for name, ns in hertz.items():
        assert abs(found[name].period_ns - ns) * 50 <= ns, found
    assert steady["rhythm"] == "periodic"
    assert abs(steady["period_ns"] - hertz["beat60"]) * 50 <= hertz["beat60"]
    assert steady["jitter_ns"] * 50 <= hertz["beat60"]
    assert Fraction(steady["confidence"]) >= Fraction(9, 10)
    assert steady["wakeups"] == 1
    assert (random["rhythm"], random["period_ns"]) == ("aperiodic", None)
    assert random["releases"] > 100
    assert unmeasured == []
