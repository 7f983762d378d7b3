# SPDX-License-Identifier: GPL-2.0-only
"""One value of the profile reverses the order in which a real kernel runs two threads."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.conftest import Guest
from tests.sched.measure import cpu_time, finish_order

TWO = """
schedctl: 1
name: lab
classes:
  first: {{match: [{{comm: job-a}}], level: {level}, deadline: {deadline}}}
  second: {{match: [{{comm: job-b}}], level: 4, deadline: 100ms}}
"""
FORTH: Sequence[str] = ("job-a", "job-b")
BACK: Sequence[str] = ("job-b", "job-a")


@pytest.mark.parametrize(
    ("forth", "back"),
    [
        ({"level": "5", "deadline": "100ms"}, {"level": "3", "deadline": "100ms"}),
        ({"level": "4", "deadline": "50ms"}, {"level": "4", "deadline": "900ms"}),
    ],
    ids=["level", "deadline"],
)
def test_one_value_reverses_two_threads(lab: Guest, forth: dict[str, str], back: dict[str, str]) -> None:
    for values, wanted in ((forth, FORTH), (back, BACK), (forth, FORTH)):
        result = lab.apply(TWO.format(**values))
        assert result["changed"]
        # released in either order: the profile decides
        for released in ("job-a job-b", "job-b job-a"):
            assert finish_order(lab, released) == list(wanted), (values, released)


def test_urgent_wake_ups_preempt_on_every_cpu(lab: Guest) -> None:
    lab.apply(TWO.format(level=7, deadline="2ms"))
    lab.sh(
        "/root/share 60 job-b:4:-1:0 > /dev/null & sleep 1; /root/wake job-a 100 4000 10000;"
        " pkill -KILL -x share; pkill -KILL -x job-b; true"
    )
    status = lab.status()["classes"]["first"]
    assert status["wakeups"] >= 95
    assert status["preemptions"] >= 90


@pytest.mark.parametrize("fair", ["fair:1:0:0 fair:1:1:0", "fair:2:-1:0"], ids=["bound", "unbound"])
def test_fair_hogs_keep_their_share_on_two_cpus(lab: Guest, fair: str) -> None:
    lab.apply(
        "schedctl: 1\nname: lab\nclasses:\n  hog: {match: [{comm: hog}], level: 7}\n",
    )
    # the emulator's pauses are not shared out: of three looks one must reach it
    looks = []
    for _ in range(3):
        got = cpu_time(lab, 8, "hog:4:-1:0", *fair.split())
        looks.append(got["fair"] / (2 * got["elapsed"]))
        if looks[-1] >= 0.08:
            return
    raise AssertionError(looks)
