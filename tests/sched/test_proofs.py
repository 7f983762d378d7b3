# SPDX-License-Identifier: GPL-2.0-only
"""Each key of a profile acts in a real kernel, and only then."""

from __future__ import annotations

from fractions import Fraction

from tests.conftest import Guest
from tests.proof import proof
from tests.sched.measure import cpu_time, finish_order, wakeup_ns

# job-b is long at work when job-a is released: job-a finishes first only where it preempts.
LATE_JOB = "job-b job-a@20"
MS = 1_000_000


def profile(first: str, second: str = "level: 4", policy: str = "", comm: str = "job-a*") -> str:
    """Class `first` takes job-a, `second` takes job-b."""
    return f"""
schedctl: 1
name: lab
policy: {{{policy}}}
classes:
  first: {{match: [{{comm: "{comm}"}}], {first}}}
  second: {{match: [{{comm: "job-b*"}}], {second}}}
"""


def late_job_wins(guest: Guest) -> None:
    assert finish_order(guest, LATE_JOB) == ["job-a", "job-b"]


@proof(
    knob="classes.*.level",
    profile=profile("level: VALUE"),
    on="6",
    off="2",
    counter="classes.first.preemptions",
)
def test_level(guest: Guest) -> None:
    """A higher level goes first, and takes the CPU from a lower one"""
    late_job_wins(guest)


@proof(
    knob="classes.*.deadline",
    profile=profile("level: 4, deadline: VALUE", "level: 4, deadline: 200ms"),
    on="10ms",
    off="2s",
    counter="classes.first.preemptions",
)
def test_deadline(guest: Guest) -> None:
    """On one level the earlier absolute deadline goes first"""
    late_job_wins(guest)


@proof(
    knob="classes.*.period",
    profile=profile("level: 4, period: VALUE", "level: 4, deadline: 200ms"),
    on="10ms",
    off="2s",
    counter="classes.first.preemptions",
)
def test_period(guest: Guest) -> None:
    """A period is the deadline where none is given"""
    late_job_wins(guest)


@proof(
    knob="policy.order",
    profile=profile("level: 4, deadline: 10ms", "level: 4, deadline: 200ms", policy="order: VALUE"),
    on="edf",
    off="fixed_priority",
    counter="classes.first.preemptions",
)
def test_order(guest: Guest) -> None:
    """edf orders a level by deadline, fixed_priority by release"""
    late_job_wins(guest)


@proof(
    knob="classes.*.tier",
    profile=profile("VALUE", "level: 4"),
    on="tier: realtime, level: 5",
    off="tier: fair",
    counter="classes.first.preemptions",
)
def test_tier(guest: Guest) -> None:
    """The real-time tier goes before the fair one"""
    late_job_wins(guest)


@proof(
    knob="classes.*.tier",
    profile=profile("tier: fair", "tier: VALUE"),
    on="background",
    off="fair",
    counter="counters.tier_ns.2",
)
def test_background(guest: Guest) -> None:
    """The background tier runs when nobody else wants to"""
    got = cpu_time(guest, 2, "job-a:1:0:0", "job-b:1:0:0")
    assert got["job-a"] >= 5 * got["job-b"], got


@proof(
    knob="classes.*.match.comm",
    profile=profile("level: 6", comm="VALUE"),
    on="job-[a]",
    off="job-[!ab]",
    counter="classes.first.preemptions",
)
def test_comm(guest: Guest) -> None:
    """A thread's name decides its class"""
    late_job_wins(guest)


@proof(
    knob="classes.*.match.cgroup",
    profile="""
schedctl: 1
name: lab
classes:
  first: {match: [{comm: "job-a*", cgroup: "VALUE"}], level: 6}
  second: {match: [{comm: "job-b*"}], level: 4}
""",
    on="/proof/in*",
    off="/proof/out*",
    counter="classes.first.preemptions",
)
def test_cgroup(guest: Guest) -> None:
    """A thread's cgroup decides its class"""
    assert finish_order(guest, LATE_JOB, cgroup="/proof/inner") == ["job-a", "job-b"]


@proof(
    knob="classes.*.precedence",
    profile="""
schedctl: 1
name: lab
classes:
  all: {match: [{comm: "job-*"}], level: 4, precedence: 10}
  first: {match: [{comm: "job-a*"}], level: 6, precedence: VALUE}
""",
    on="20",
    off="5",
    counter="classes.first.preemptions",
)
def test_precedence(guest: Guest) -> None:
    """Where several classes match, the highest precedence wins"""
    late_job_wins(guest)


@proof(
    knob="classes.*.weight",
    profile="""
schedctl: 1
name: lab
classes:
  heavy: {match: [{comm: heavy}], tier: fair, weight: VALUE}
""",
    on="1000",
    off="10",
    counter="classes.heavy.runtime_ns",
    residue=Fraction(1, 5),
)
def test_weight(guest: Guest) -> None:
    """The fair tier shares the CPU by weight"""
    got = cpu_time(guest, 2, "heavy:1:0:0", "light:1:0:0")
    assert got["heavy"] >= 5 * got["light"], got


@proof(
    knob="policy.fair_share",
    profile="""
schedctl: 1
name: lab
policy: {fair_share: VALUE}
classes:
  hog: {match: [{comm: hog}], level: 7}
""",
    on="50%",
    off="1%",
    counter="counters.nr_owed",
    residue=Fraction(1, 5),
)
def test_fair_share(guest: Guest) -> None:
    """The fair tier gets its share under hogs of level 7"""
    got = cpu_time(guest, 2, "hog:1:0:0", "fair:1:0:0")
    assert got["fair"] >= Fraction(2, 5) * got["elapsed"], got


@proof(
    knob="classes.*.level",
    profile="""
schedctl: 1
name: lab
classes:
  urgent: {match: [{comm: urgent}], VALUE}
""",
    on="level: 7",
    off="tier: fair",
    counter="classes.urgent.preemptions",
)
def test_preemption(guest: Guest) -> None:
    """An urgent wake-up does not wait for the next tick"""
    assert wakeup_ns(guest, "urgent", hogs=4).p99 < MS
