# SPDX-License-Identifier: GPL-2.0-only
"""A profile made concrete: its classes, and its rules one by one in rank order."""

from __future__ import annotations

from dataclasses import dataclass

from schedctl.profile.model import MatchItem, Origin, Policy, Profile, ThreadClass


@dataclass(frozen=True, slots=True)
class Rule:
    """At most one pattern per predicate; the first rule that matches decides."""

    class_name: str
    comm: str | None
    cgroup: str | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Assignment:
    profile: str
    policy: Policy
    classes: tuple[ThreadClass, ...]
    rules: tuple[Rule, ...]


def resolve(profile: Profile) -> Assignment:
    """Highest precedence first, on a tie in the order of declaration; lists are expanded."""
    by_rank = sorted(profile.classes, key=lambda cls: -cls.precedence)
    rules = [rule for cls in by_rank for item in cls.match for rule in _expand(cls, item)]
    return Assignment(profile.name, profile.policy, profile.classes, tuple(dict.fromkeys(rules)))


def _expand(cls: ThreadClass, item: MatchItem) -> list[Rule]:
    return [
        Rule(cls.name, comm, cgroup, item.origin)
        for comm in item.comm or (None,)
        for cgroup in item.cgroup or (None,)
    ]
