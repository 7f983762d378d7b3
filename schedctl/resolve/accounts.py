# SPDX-License-Identifier: GPL-2.0-only
"""The users and groups of a profile as numbers. Unknown names are warnings: they may appear later.

So are units whose names nearly are those of units that exist; others may be started at any time.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from schedctl.errors import Problem
from schedctl.glob import is_literal
from schedctl.profile.model import ACTIVE_SEAT, NOWHERE, MatchItem, Origin, Profile
from schedctl.resolve.facts import HostFacts

MAX_UNITS = 100  # unknown ones that are compared with all the others


@dataclass(frozen=True, slots=True)
class Names:
    """What a profile asks the host for: names of users and units, and of groups, with their members."""

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()


def names_of(profile: Profile) -> Names:
    users, groups, units, with_members = set[str](), set[str](), set[str](), set[str]()
    for item in _all_items(item for cls in profile.classes for item in cls.match):
        users.update(item.user)
        groups.update(item.group)
        units.update(filter(is_literal, item.unit))
    for name in profile.policy.realtime_users:
        if name.startswith("@"):
            with_members.add(name[1:])
        elif name != ACTIVE_SEAT:
            users.add(name)
    return Names(
        frozenset(name for name in users if not name.isdecimal()),
        frozenset(name for name in groups if not name.isdecimal()) | with_members,
        frozenset(units),
    )


def _all_items(items: Iterable[MatchItem]) -> Iterator[MatchItem]:
    for item in items:
        yield item
        yield from _all_items(item.excluded)


def _template(unit: str) -> str | None:
    """getty@tty1.service -> getty@.service"""
    stem, at, _ = unit.partition("@")
    return f"{stem}@.{unit.rpartition('.')[2]}" if at else None


@lru_cache(MAX_UNITS)  # of a profile that is edited most names stay
def _close_unit(name: str, known: tuple[str, ...]) -> str | None:
    # without their type, which makes any two alike
    stem, _, kind = name.rpartition(".")
    stems = [other.removesuffix(f".{kind}") for other in known if other.endswith(f".{kind}")]
    close = difflib.get_close_matches(stem, stems, 1, 0.8)
    return f"{close[0]}.{kind}" if close else None


class Accounts:
    """Looks names up in the facts; what it does not find is kept in `problems`, once per name and place."""

    def __init__(self, facts: HostFacts) -> None:
        self._facts = facts
        self._units_left = MAX_UNITS
        self.problems: list[Problem] = []

    def uids(self, names: Iterable[str], origin: Origin) -> tuple[int, ...]:
        return self._numbers(names, self._facts.users, "user", origin)

    def gids(self, names: Iterable[str], origin: Origin) -> tuple[int, ...]:
        known = {name: group.gid for name, group in self._facts.groups.items()}
        return self._numbers(names, known, "group", origin)

    def check_units(self, names: Iterable[str], origin: Origin) -> None:
        """Scopes and transient services have no file: only what looks misspelt is worth a word.

        Where one of the alternatives exists, the others are for other hosts.
        """
        known, named = self._facts.units, [*filter(is_literal, names)]
        if not known or any(name in known or _template(name) in known for name in named):
            return
        for name in named[: self._units_left]:
            self._units_left -= 1
            if close := _close_unit(name, known):
                self._say("unit", name, f"did you mean {close!r}?", origin)

    def realtime_uids(self, profile: Profile) -> tuple[int, ...]:
        """Everyone in `policy.realtime_users`, who sits at an active seat included."""
        found = set[int]()
        origin = Origin(profile.file, 0, 0) if profile.file else NOWHERE
        for name in profile.policy.realtime_users:
            if name == ACTIVE_SEAT:
                found.update(self._facts.active_seat)
            elif name.startswith("@"):
                found.update(self._members(name[1:], origin))
            else:
                found.update(self.uids((name,), origin))
        return tuple(sorted(found))

    def _members(self, name: str, origin: Origin) -> tuple[int, ...]:
        groups = self._facts.groups
        if name.isdecimal():
            return next((group.members for group in groups.values() if group.gid == int(name)), ())
        if name not in groups:
            self._unknown("group", name, groups, origin)
            return ()
        return groups[name].members

    def _numbers(
        self, names: Iterable[str], known: Mapping[str, int], kind: str, origin: Origin
    ) -> tuple[int, ...]:
        found: dict[int, None] = {}
        for name in names:
            if name.isdecimal():
                found[int(name)] = None
            elif name in known:
                found[known[name]] = None
            else:
                self._unknown(kind, name, known, origin)
        return tuple(found)

    def _unknown(self, kind: str, name: str, known: Iterable[str], origin: Origin) -> None:
        close = difflib.get_close_matches(name, known, 1, 0.75)
        hint = f"did you mean {close[0]!r}?" if close else f"the rule waits until the {kind} appears"
        self._say(kind, name, hint, origin)

    def _say(self, kind: str, name: str, hint: str, origin: Origin) -> None:
        problem = Problem(
            "warning",
            origin.file,
            origin.line,
            origin.column,
            "",
            f"this host has no {kind} {name!r}",
            hint,
            origin.source,
        )
        if problem not in self.problems:
            self.problems.append(problem)
