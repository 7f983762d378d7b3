# SPDX-License-Identifier: GPL-2.0-only
"""Each predicate of `match` acts in a real kernel, and only then."""

from __future__ import annotations

from tests.conftest import Guest
from tests.proof import Setup, proof
from tests.sched.measure import finish_order

COUNTER = "classes.first.preemptions"
UNIT = "/system.slice/proof.service"
USER_UNIT = "/user.slice/user-0.slice/user@0.service/app.slice/proof.scope"


def profile(predicates: str, policy: str = "") -> str:
    """Job-a is long in coming, and first only where the rule takes it."""
    return f"""
schedctl: 1
name: lab
policy: {{{policy}}}
classes:
  first: {{match: [{{comm: "job-a*", {predicates}}}], level: 6}}
  second: {{match: [{{comm: "job-b*"}}], level: 4}}
"""


def turning(text: str) -> Setup:
    """VALUE is more than the value of one key."""

    def turn(guest: Guest, value: str) -> None:
        guest.apply(profile(text.replace("VALUE", value)))

    return turn


def late_job_wins(guest: Guest, cgroup: str = "") -> None:
    assert finish_order(guest, "job-b job-a@20", cgroup=cgroup) == ["job-a", "job-b"]


@proof(
    knob="classes.*.match.exe",
    profile=profile("exe: VALUE"),
    on='"/root/ord*"',
    off="/root/wake",
    counter=COUNTER,
)
def test_exe(guest: Guest) -> None:
    """A thread's program decides its class"""
    late_job_wins(guest)


@proof(
    knob="classes.*.match.exe_owner",
    setup=turning("exe: VALUE, exe_owner: root"),
    on="/root/order",
    off="/root/wake",
    counter=COUNTER,
)
def test_exe_owner(guest: Guest) -> None:
    """A program's owner narrows a match"""
    late_job_wins(guest)


@proof(
    knob="classes.*.match.unit",
    profile=profile("unit: VALUE"),
    on='"proof*"',
    off="other.service",
    counter=COUNTER,
)
def test_unit(guest: Guest) -> None:
    """A thread's systemd unit decides its class"""
    late_job_wins(guest, UNIT)


@proof(
    knob="classes.*.match.user_unit",
    profile=profile("user_unit: VALUE"),
    on="proof.scope",
    off="proof.service",
    counter=COUNTER,
)
def test_user_unit(guest: Guest) -> None:
    """A thread's unit of a user's manager decides its class"""
    late_job_wins(guest, USER_UNIT)


@proof(knob="classes.*.match.user", profile=profile("user: VALUE"), on="root", off="'1'", counter=COUNTER)
def test_user(guest: Guest) -> None:
    """A thread's real user decides its class"""
    late_job_wins(guest)


@proof(knob="classes.*.match.group", profile=profile("group: VALUE"), on="root", off="'1'", counter=COUNTER)
def test_group(guest: Guest) -> None:
    """A thread's real group decides its class"""
    late_job_wins(guest)


@proof(
    knob="classes.*.match.kthread", profile=profile("kthread: VALUE"), on="false", off="true", counter=COUNTER
)
def test_kthread(guest: Guest) -> None:
    """Whether it is a kernel thread decides a thread's class"""
    late_job_wins(guest)


@proof(
    knob="classes.*.match.leader", profile=profile("leader: VALUE"), on="true", off="false", counter=COUNTER
)
def test_leader(guest: Guest) -> None:
    """Whether it is the first of its process decides a thread's class"""
    late_job_wins(guest)


@proof(
    knob="classes.*.match.nice", profile=profile("nice: VALUE"), on='"-5..5"', off='"1..5"', counter=COUNTER
)
def test_nice(guest: Guest) -> None:
    """A thread's nice value decides its class"""
    late_job_wins(guest)


@proof(
    knob="classes.*.match.not",
    profile=profile("not: {exe: VALUE}"),
    on="/root/wake",
    off="/root/order",
    counter=COUNTER,
)
def test_not(guest: Guest) -> None:
    """What `not` names is left out of a class"""
    late_job_wins(guest)


@proof(
    knob="policy.realtime_users",
    # the second class is trusted: it keeps its level where the first one loses its own
    profile=profile("", "realtime_users: VALUE").replace('"job-b*"', '"job-b*", user: root'),
    on="[root]",
    off="['1']",
    counter=COUNTER,
)
def test_realtime_users(guest: Guest) -> None:
    """Only threads of trusted users are lifted by a name"""
    late_job_wins(guest)
