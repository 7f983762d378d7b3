# SPDX-License-Identifier: GPL-2.0-only
"""A thousand threads of all kinds are in the class that an independent matcher says, and follow a flip."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fnmatch import fnmatchcase

from schedctl.image.task import TaskFlag, decode_task
from tests.conftest import Guest

NR_THREADS = 1000
PIN = "/sys/fs/bpf/schedctl/maps/task_ctxs"


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of rule, with names and cgroups that it takes and some that it nearly takes."""

    name: str
    comm: str | None
    cgroup: str | None
    threads: tuple[tuple[str, str], ...]  # (comm, cgroup) that match
    others: tuple[tuple[str, str], ...]  # and that do not


SHAPES = (
    Shape("literal", "exact", None, (("exact", "/t"),), (("exactly", "/t"), ("Exact", "/t"))),
    Shape("prefix", "pre*", None, (("pre", "/t"), ("prefix-long", "/t")), (("xpre", "/t"), ("pr", "/t"))),
    Shape("suffix", "*fix", None, (("suffix", "/t"), ("fix", "/t")), (("suffixe", "/t"),)),
    Shape("one", "w?rk[0-9]", None, (("work1", "/t"), ("wark9", "/t")), (("wrk1", "/t"), ("workA", "/t"))),
    Shape("not", "n[!a-m]t", None, (("nzt", "/t"), ("n0t", "/t")), (("nat", "/t"), ("nt", "/t"))),
    Shape("part", None, "box*", (("any1", "/t/box1"), ("any2", "/t/box1/in")), (("any3", "/t/abox"),)),
    Shape(
        "path", None, "/t/p?th/*", (("any4", "/t/path/leaf"),), (("any5", "/t/path"), ("any6", "/t/x/path"))
    ),
    Shape("both", "duo*", "/t/both", (("duo1", "/t/both"),), (("duo2", "/t/nearly"), ("solo", "/t/both"))),
)


def profile(level: int) -> str:
    lines = ["schedctl: 1", "name: lab", "classes:"]
    for shape in SHAPES:
        keys = {"comm": shape.comm, "cgroup": shape.cgroup}
        match = ", ".join(f'{key}: "{value}"' for key, value in keys.items() if value)
        tier = f"level: {level}" if shape.name != "suffix" else "tier: background"
        lines.append(f"  {shape.name}: {{match: [{{{match}}}], {tier}}}")
    return "\n".join(lines) + "\n"


def expected_class(comm: str, cgroup: str, uid: int) -> tuple[str, bool]:
    """(class, held back): the first shape that matches, by Python's fnmatch."""
    for shape in SHAPES:
        if shape.comm and not fnmatchcase(comm, shape.comm):
            continue
        parts = [cgroup] if "/" in (shape.cgroup or "") else cgroup.split("/")
        if shape.cgroup and not any(fnmatchcase(part, shape.cgroup) for part in parts):
            continue
        held_back = shape.name != "suffix" and uid != 0
        return ("default" if held_back else shape.name), held_back
    return "default", False


@dataclass(frozen=True, slots=True)
class Member:
    line: str  # for load/crowd.c
    comm: str  # when it has settled
    cgroup: str
    uid: int


def crowd(first: int, count: int) -> list[Member]:
    """A third of them negatives, some renaming themselves, some of a plain user."""
    members = []
    for i in range(first, first + count):
        shape = SHAPES[i % len(SHAPES)]
        choices = shape.others if i // len(SHAPES) % 3 == 0 else shape.threads
        comm, cgroup = choices[i // len(SHAPES) // 3 % len(choices)]
        uid = 1000 if i % 7 == 0 else 0
        line = f"{cgroup} {uid} s {comm}" if i % 5 else f"{cgroup} {uid} r other {comm}"
        members.append(Member(line, comm, cgroup, uid))
    return sorted(members, key=lambda member: (member.cgroup, member.uid))


def start(guest: Guest, members: list[Member], name: str) -> list[str]:
    """Start them; their TIDs in the order of `members`."""
    guest.vm.put(f"/root/{name}.in", "\n".join(member.line for member in members) + "\n")
    guest.sh(f"cd /root; setsid ./crowd < {name}.in > {name}.out 2> {name}.err &")
    for _ in range(120):
        if len(lines := guest.sh(f"cat /root/{name}.out").splitlines()) == len(members):
            return [line.split()[0] for line in lines]
        time.sleep(0.5)
    raise AssertionError(guest.sh(f"cat /root/{name}.err"))


def wrong(guest: Guest, members: list[Member], tids: list[str]) -> list[str]:
    """Who is not in the class of the independent matcher, or not of the live generation."""
    status = guest.status()
    names = list(status["classes"])
    guest.vm.put("/root/tids", "\n".join(tids) + "\n")
    found = guest.sh(f"/root/classes {PIN} < /root/tids").splitlines()
    problems = []
    for member, line in zip(members, found, strict=True):
        task = decode_task(bytes.fromhex(line.split()[1]))
        wanted = expected_class(member.comm, member.cgroup, member.uid)
        got = names[task.class_id], TaskFlag.HELD_BACK in task.flags
        if got != wanted or task.generation != status["generation"]:
            problems.append(f"{member}: {got}, not {wanted}, generation {task.generation}")
    return problems


def settle(guest: Guest, members: list[Member], tids: list[str]) -> list[str]:
    """Each thread runs twice a second; give all of them some rounds on a slow machine."""
    problems = ["not looked yet"]
    for _ in range(15):
        if not (problems := wrong(guest, members, tids)):
            return []
        time.sleep(1)
    return problems


def test_a_thousand_threads(lab: Guest) -> None:
    cgroups = sorted({cgroup for shape in SHAPES for _, cgroup in shape.threads + shape.others})
    lab.sh("mkdir -p " + " ".join(f"/sys/fs/cgroup{cgroup}" for cgroup in cgroups))
    # in the background, or the thousand would not get to run
    spinners = [Member(f"/t 0 b cpu{cpu}fix {cpu}", f"cpu{cpu}fix", "/t", 0) for cpu in range(2)]
    before = spinners + crowd(0, NR_THREADS // 2)
    tids = start(lab, before, "old")  # older than the attach
    lab.apply(profile(5))
    after = crowd(NR_THREADS // 2, NR_THREADS // 2)
    members, tids = before + after, tids + start(lab, after, "new")
    assert settle(lab, members, tids) == []
    lab.apply(profile(4))  # a flip with all of them alive
    assert settle(lab, members, tids) == []
