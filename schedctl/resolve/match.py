# SPDX-License-Identifier: GPL-2.0-only
"""The reference for classification: what bpf/classify.bpf.c must agree with.

Patterns are matched over bytes (glob.py). A pattern never matches what a thread does not have: a
kernel thread's executable, the unit of a thread outside of all units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from schedctl.glob import encoded, glob_match
from schedctl.profile.model import DEFAULT_CLASS, Tier
from schedctl.resolve.assignment import Assignment, ResolvedItem, Rule

ROOT_UID = 0


class SchedPolicy(StrEnum):
    """The kernel's scheduling policy of a thread; a profile's rules act on the first three."""

    OTHER = "other"
    BATCH = "batch"
    IDLE = "idle"
    FIFO = "fifo"
    RR = "rr"
    DEADLINE = "deadline"
    EXT = "ext"


# Before sched_ext; a thread of the kernel's stop class shows SCHED_FIFO.
OUTSIDE = frozenset({SchedPolicy.FIFO, SchedPolicy.RR, SchedPolicy.DEADLINE})


@dataclass(frozen=True, slots=True)
class Thread:
    """What a rule can look at.

    `comm` has at most 15 bytes; `exe` is "" for kernel threads; `cgroup` is the path from the root;
    `unit` and `user_unit` are units.unit_of() and user_unit_of() of it; uid and gid are the real ones.
    """

    comm: bytes
    exe: str = ""
    exe_owner_uid: int | None = None
    cgroup: str = "/"
    unit: str = ""
    user_unit: str = ""
    uid: int = 0
    gid: int = 0
    kthread: bool = False
    leader: bool = True
    nice: int = 0
    policy: SchedPolicy = SchedPolicy.OTHER


@dataclass(frozen=True, slots=True)
class Decision:
    """The class whose rule matched, the one in effect (`default` where privilege held it back), the rule."""

    matched: str
    effective: str
    tier: Tier
    level: int | None
    rule: int | None = None  # index into Assignment.rules

    @property
    def held_back(self) -> bool:
        return self.matched != self.effective


def cgroup_match(pattern: str, path: str) -> bool:
    """With a '/' the whole path is meant, without one any component."""
    if "/" in pattern:
        return glob_match(pattern, encoded(path))
    return any(glob_match(pattern, encoded(part)) for part in path.split("/") if part)


def failed_predicates(item: ResolvedItem, thread: Thread) -> Iterator[str]:
    """The keys of a profile that do not match, `not` last; nothing exactly where the item matches."""
    if item.comm and not any(glob_match(pattern, thread.comm) for pattern in item.comm):
        yield "comm"
    for key in ("exe", "unit", "user_unit"):
        patterns, text = getattr(item, key), getattr(thread, key)
        if patterns and not (text and any(glob_match(pattern, encoded(text)) for pattern in patterns)):
            yield key
    if item.cgroup and not any(cgroup_match(pattern, thread.cgroup) for pattern in item.cgroup):
        yield "cgroup"
    if item.uids and thread.uid not in item.uids:
        yield "user"
    if item.gids and thread.gid not in item.gids:
        yield "group"
    if item.exe_owner_root and thread.exe_owner_uid != ROOT_UID:
        yield "exe_owner"
    for key in ("kthread", "leader"):
        if getattr(item, key) not in (None, getattr(thread, key)):
            yield key
    if item.nice is not None and not item.nice[0] <= thread.nice <= item.nice[1]:
        yield "nice"
    if any(item_match(excluded, thread) for excluded in item.excluded):
        yield "not"


def item_match(item: ResolvedItem, thread: Thread) -> bool:
    return next(failed_predicates(item, thread), None) is None


def may_lift(assignment: Assignment, item: ResolvedItem, thread: Thread) -> bool:
    """Whether a matching item may put the thread into the real-time tier: nobody gets there by a name."""
    return item.trusted or thread.uid in assignment.realtime_uids


def first_match(assignment: Assignment, thread: Thread) -> int | None:
    """The index of the rule that decides; rules stand in rank order."""
    return next((i for i, rule in enumerate(assignment.rules) if item_match(rule.item, thread)), None)


def classify(assignment: Assignment, thread: Thread) -> Decision:
    """The class of a thread.

    One that is held back is `default`, whatever later rules say. In any class a SCHED_IDLE thread is
    background and a SCHED_BATCH one never real-time. Threads of the other policies are outside of
    sched_ext: the class is what they would have.
    """
    index = first_match(assignment, thread)
    if index is None:
        return _decision(assignment, DEFAULT_CLASS, DEFAULT_CLASS, thread, None)
    rule: Rule = assignment.rules[index]
    tier = tier_of(assignment, rule.class_name)
    lifted = tier is not Tier.REALTIME or may_lift(assignment, rule.item, thread)
    effective = rule.class_name if lifted else DEFAULT_CLASS
    return _decision(assignment, rule.class_name, effective, thread, index)


def tier_of(assignment: Assignment, class_name: str) -> Tier:
    return next((cls.tier for cls in assignment.classes if cls.name == class_name), Tier.FAIR)


def _decision(
    assignment: Assignment, matched: str, effective: str, thread: Thread, rule: int | None
) -> Decision:
    cls = next((cls for cls in assignment.classes if cls.name == effective), None)
    tier, level = (cls.tier, cls.level) if cls else (Tier.FAIR, None)
    if thread.policy is SchedPolicy.IDLE:
        tier, level = Tier.BACKGROUND, None
    elif thread.policy is SchedPolicy.BATCH and tier is Tier.REALTIME:
        tier, level = Tier.FAIR, None
    return Decision(matched, effective, tier, level, rule)
