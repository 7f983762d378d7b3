# SPDX-License-Identifier: GPL-2.0-only
"""Threads that a rule matches and no scheduler of sched_ext ever sees: their scheduling class comes first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schedctl.glob import encoded, is_literal
from schedctl.profile.model import DEFAULT_CLASS, Tier
from schedctl.resolve.assignment import Assignment
from schedctl.resolve.match import OUTSIDE, SchedPolicy, Thread, item_match, may_lift, tier_of


@dataclass(frozen=True, slots=True)
class Outside:
    """`class_name` is the class it would have."""

    tid: int
    comm: bytes
    policy: SchedPolicy
    class_name: str


class RuleIndex:
    """The rules by the names they demand: of thousands only a few are tried with each thread."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._by_name: dict[bytes, list[int]] = {}  # of a thread, or of an executable
        self._others: list[int] = []
        for rank, rule in enumerate(assignment.rules):
            for names in (rule.item.comm, rule.item.exe):
                if names and all(map(is_literal, names)):
                    for name in set(map(encoded, names)):
                        self._by_name.setdefault(name, []).append(rank)
                    break
            else:
                self._others.append(rank)

    def first_match(self, thread: Thread) -> int | None:
        """As match.first_match."""
        rules = self._assignment.rules
        names = {thread.comm, encoded(thread.exe)}
        ranks = sorted((*self._others, *(rank for name in names for rank in self._by_name.get(name, ()))))
        return next((rank for rank in ranks if item_match(rules[rank].item, thread)), None)


def find_outside(assignment: Assignment, threads: Iterable[tuple[int, Thread]]) -> tuple[Outside, ...]:
    """Those of `threads`, which are (TID, thread), that a rule would give another class than `default`."""
    found, index = [], RuleIndex(assignment)
    for tid, thread in threads:
        rank = index.first_match(thread) if thread.policy in OUTSIDE else None
        if rank is None:
            continue
        rule = assignment.rules[rank]
        held_back = tier_of(assignment, rule.class_name) is Tier.REALTIME and not may_lift(
            assignment, rule.item, thread
        )
        if rule.class_name != DEFAULT_CLASS and not held_back:
            found.append(Outside(tid, thread.comm, thread.policy, rule.class_name))
    return tuple(found)
