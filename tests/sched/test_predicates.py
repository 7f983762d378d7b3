# SPDX-License-Identifier: GPL-2.0-only
"""Every predicate in the kernel, on threads that change while they run, against resolve/match.py."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Guest

HERE = Path(__file__).parent
ALPHA, BETA, GAMMA = (f"/opt/act/{name}" for name in ("alpha", "beta", "gamma"))
MANAGER = "/user.slice/user-1000.slice/user@1000.service"
PROFILE = """
schedctl: 1
name: acts
policy: {realtime_users: [root, "1001"]}
classes:
  comm: {match: [{comm: "act-a*"}], level: 2, precedence: 1}
  exe: {match: [{exe: /opt/act/beta}], level: 3, precedence: 2}
  unit: {match: [{unit: "act-*.service"}], level: 4, precedence: 3}
  user_unit: {match: [{user_unit: game.scope}], level: 5, precedence: 4}
  cgroup: {match: [{cgroup: "/acts/*/deep"}], level: 6, precedence: 5}
  part: {match: [{cgroup: boxed}], tier: background, precedence: 6}
  user: {match: [{user: ["1001", "1002"]}], level: 1, precedence: 7}
  group: {match: [{group: "1003"}], level: 7, precedence: 8}
  nice: {match: [{nice: "5..9"}], tier: fair, weight: 50, precedence: 9}
  leader: {match: [{comm: act-lead, leader: false}], level: 5, precedence: 10}
  kthread: {match: [{kthread: true, comm: "kworker/*"}], tier: fair, weight: 60, precedence: 11}
  not:
    match: [{comm: "act-n*", not: [{exe: "*/gamma"}, {user: "1004", nice: "1..4"}]}]
    level: 4
    precedence: 12
  owner: {match: [{exe: "/opt/*", exe_owner: root, comm: act-owned}], level: 3, precedence: 13}
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """A process of two threads; its group's number is its user's."""

    cgroup: str = "/acts/plain"
    uid: int = 0
    nice: int = 0
    exe: str = ALPHA
    name: str = "act-z"

    def line(self, change: tuple[str, str]) -> str:
        return f"{self.cgroup} {self.uid} {self.nice} {self.exe} {self.name} {' '.join(change)}"


PLAIN = Actor()
# By class: who is in it, and who nearly is.
KINDS = {
    "comm": (Actor(name="act-a1"), Actor(name="xact-a")),
    "exe": (Actor(exe=BETA), Actor(exe=GAMMA)),
    "unit": (
        Actor(cgroup="/system.slice/act-1.service/sub"),
        Actor(cgroup="/system.slice/b.service/act-1.service"),
    ),
    "user_unit": (
        Actor(cgroup=f"{MANAGER}/app.slice/game.scope"),
        Actor(cgroup="/user.slice/user-1000.slice/session-1.scope/game.scope"),
    ),
    "cgroup": (Actor(cgroup="/acts/x/deep"), Actor(cgroup="/acts/x/deeper")),
    "part": (Actor(cgroup="/acts/boxed/in"), Actor(cgroup="/acts/unboxed")),
    "user": (Actor(uid=1002), Actor(uid=1004, name="act-a3")),
    "group": (Actor(uid=1003), Actor(uid=1004)),
    "nice": (Actor(nice=7), Actor(nice=10)),
    "leader": (Actor(name="act-lead"), Actor(name="act-leader")),
    "not": (Actor(name="act-n1"), Actor(name="act-n1", exe=GAMMA)),
    "owner": (Actor(name="act-owned"), Actor(name="act-owned", exe=GAMMA)),
}
CHANGES = (
    ("stay", "-"),
    ("rename", "act-a2"),
    ("exec", BETA),
    ("setuid", "1001"),
    ("cgroup", "/acts/boxed/in"),
    ("nice", "7"),
)
PROCESSES_EACH = 51
BEFORE_ATTACH = 160


def actors() -> list[tuple[Actor, tuple[str, str]]]:
    """A third of each kind are negatives; a plain user cannot make every change."""
    cast = []
    for i in range(PROCESSES_EACH):
        for n, (positive, negative) in enumerate(KINDS.values()):
            actor = negative if i % 3 == 0 else positive
            change = CHANGES[(i // 3 + n) % len(CHANGES)]
            if actor.uid and change[0] in ("setuid", "cgroup", "nice"):
                change = CHANGES[1]
            cast.append((actor, change))
    return cast


def prepare(guest: Guest) -> None:
    guest.sh("rm -f /tmp/go; mkdir -p /opt/act; chmod 755 /opt /opt/act")
    for path in (ALPHA, BETA, GAMMA):
        guest.sh(f"install -m 755 /root/actors {path}")
    guest.sh(f"chown 1000 {GAMMA}")
    cgroups = sorted({actor.cgroup for pair in KINDS.values() for actor in (*pair, PLAIN)})
    guest.sh("mkdir -p " + " ".join(f"/sys/fs/cgroup{cgroup}" for cgroup in cgroups))
    guest.vm.put("/root/compare.py", HERE / "compare.py")
    guest.vm.put("/root/acts.yaml", PROFILE)


def start(guest: Guest, cast: list[tuple[Actor, tuple[str, str]]], name: str) -> list[str]:
    guest.vm.put(f"/root/{name}.in", "".join(actor.line(change) + "\n" for actor, change in cast))
    guest.sh(f"cd /root; setsid ./actors /tmp/go < {name}.in > {name}.out 2> {name}.err &")
    for _ in range(240):
        if len(pids := guest.sh(f"cat /root/{name}.out").split()) == len(cast):
            return pids
        time.sleep(0.5)
    raise AssertionError(guest.sh(f"cat /root/{name}.err"))


def compare(guest: Guest, pids: list[str]) -> dict[str, Any]:
    guest.vm.put("/root/pids", "\n".join(pids))
    result: dict[str, Any] = json.loads(
        guest.sh("python3 /root/compare.py /root/acts.yaml 40 < /root/pids", timeout=240)
    )
    assert result["differ"] == [], "\n".join(result["differ"][:10])
    return result


@pytest.fixture
def crew(lab: Guest) -> Iterator[list[str]]:
    """Whose processes end with the test: they rename themselves, and wake up all the time."""
    pids: list[str] = []
    yield pids
    lab.run("kill -KILL " + " ".join(pids))


def test_threads_that_change_are_where_the_reference_says(lab: Guest, crew: list[str]) -> None:
    prepare(lab)
    cast, pids = actors(), crew
    pids += start(lab, cast[:BEFORE_ATTACH], "old")
    assert lab.schedctl("apply", "/root/acts.yaml")["exit"] == 0
    pids += start(lab, cast[BEFORE_ATTACH:], "new")
    before = compare(lab, pids)
    assert before["threads"] >= 2 * len(cast)
    assert all(before["classes"].get(name, 0) >= 30 for name in KINDS if name != "leader"), before
    assert before["classes"]["leader"] >= 20
    assert before["classes"]["kthread"] > 0
    lab.sh("touch /tmp/go")
    lab.sh("sleep 2")
    after = compare(lab, pids)
    assert after["classes"] != before["classes"]
    assert after["held_back"] > 0
    # nobody gets a level by a name
    forged = next(pid for pid, (actor, _) in zip(pids, cast, strict=True) if actor == KINDS["user"][1])
    explained = lab.schedctl("explain", forged)
    assert (explained["class"], explained["level"]) == ("default", None)
    assert "realtime_users" in lab.sh(f"schedctl explain {forged}")
    assert lab.status()["counters"]["nr_held_back"] > 0
