# SPDX-License-Identifier: GPL-2.0-only
"""Rules of two classes that compete: equal precedence, another level, and some thread fits both.

Only the order of declaration decides there, which is rarely meant. Candidates come from an index, not
from all pairs: literals by their text, globs by the literal text they begin with. One warning per pair
of classes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from schedctl.errors import Problem
from schedctl.glob import intersect, is_literal, literal_prefix, literal_suffix
from schedctl.profile.document import problem_at
from schedctl.profile.model import PATTERN_KEYS, MatchItem, Profile, ThreadClass

MAX_GLOBS = 1000
MAX_WARNINGS = 20
MAX_EARLIER = 16
_ACCOUNTS = ("user", "group")
_AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One item with one of the patterns (or names) of its first predicate."""

    text: str
    cls: ThreadClass
    item: MatchItem


def check_overlaps(profile: Profile) -> Iterator[Problem]:
    """At most MAX_WARNINGS; items with `not` are taken to be meant as they are."""
    groups: dict[tuple[int, tuple[str, ...]], list[tuple[ThreadClass, MatchItem]]] = defaultdict(list)
    for cls in profile.classes:
        for item in cls.match:
            if not item.excluded:
                groups[cls.precedence, _keys(item)].append((cls, item))
    warned: set[tuple[str, str]] = set()
    for (_, keys), members in groups.items():
        for first, second in _candidates(keys, members):
            pair = (first.cls.name, second.cls.name)
            if first.cls.level == second.cls.level or pair in warned:
                continue
            if _intersect(first.item, second.item):
                warned.add(pair)
                yield _warning(first, second)
                if len(warned) == MAX_WARNINGS:
                    return


def _keys(item: MatchItem) -> tuple[str, ...]:
    found = [key for key in (*PATTERN_KEYS, *_ACCOUNTS) if getattr(item, key)]
    found += [key for key in ("kthread", "leader", "nice") if getattr(item, key) is not None]
    return tuple([*found, "exe_owner_root"] if item.exe_owner_root else found)


def _candidates(
    keys: tuple[str, ...], members: list[tuple[ThreadClass, MatchItem]]
) -> Iterator[tuple[_Entry, _Entry]]:
    """Pairs in the order of declaration whose first predicates may intersect."""
    if not keys or keys[0] not in (*PATTERN_KEYS, *_ACCOUNTS):
        entries = [_Entry("", cls, item) for cls, item in members]
        yield from _same_text(entries)
        return
    entries = [_Entry(text, cls, item) for cls, item in members for text in getattr(item, keys[0])]
    literal = [entry for entry in entries if keys[0] in _ACCOUNTS or is_literal(entry.text)]
    yield from _same_text(literal)
    if keys[0] in PATTERN_KEYS:
        globs = [entry for entry in entries if not is_literal(entry.text)]
        if len(globs) <= MAX_GLOBS:
            yield from _by_prefix(globs, [*literal, *globs], {id(e): i for i, e in enumerate(entries)})


def _same_text(entries: Iterable[_Entry]) -> Iterator[tuple[_Entry, _Entry]]:
    """Each entry with some earlier entries of each other class."""
    index: dict[str, dict[str, list[_Entry]]] = defaultdict(dict)
    for entry in entries:
        earlier = index[entry.text]
        for name, others in earlier.items():
            if name != entry.cls.name:
                yield from ((other, entry) for other in others)
        if len(mine := earlier.setdefault(entry.cls.name, [])) < MAX_EARLIER:
            mine.append(entry)


def _by_prefix(
    globs: list[_Entry], entries: list[_Entry], rank: dict[int, int]
) -> Iterator[tuple[_Entry, _Entry]]:
    """Each glob with what begins as it does; of two globs the one with the shorter beginning looks."""
    keyed = sorted(((literal_prefix(entry.text), entry) for entry in entries), key=lambda pair: pair[0])
    prefixes = [prefix for prefix, _ in keyed]
    for glob in globs:
        begin, end = literal_prefix(glob.text), literal_suffix(glob.text)
        low = bisect_left(prefixes, begin)
        for _, other in keyed[low : bisect_right(prefixes, begin + _AFTER_ALL)]:
            if other.cls.level == glob.cls.level or not _ends_alike(end, literal_suffix(other.text)):
                continue
            yield (glob, other) if rank[id(glob)] < rank[id(other)] else (other, glob)


def _ends_alike(one: str, other: str) -> bool:
    return one.endswith(other) or other.endswith(one)


def _intersect(one: MatchItem, other: MatchItem) -> bool:
    """Whether a thread can fit both; both have the same predicates."""
    for key in PATTERN_KEYS:
        mine, theirs = getattr(one, key), getattr(other, key)
        if mine and not any(intersect(a, b) for a in mine for b in theirs):
            return False
    for key in _ACCOUNTS:
        mine = getattr(one, key)
        if mine and not set(mine) & set(getattr(other, key)):
            return False
    if (one.kthread, one.leader) != (other.kthread, other.leader):
        return False
    if one.nice is None or other.nice is None:
        return True
    return one.nice[0] <= other.nice[1] and other.nice[0] <= one.nice[1]


def _warning(first: _Entry, second: _Entry) -> Problem:
    index = second.cls.match.index(second.item)
    problem = problem_at(
        second.item.origin,
        ("classes", second.cls.name, "match", index),
        f"some threads fit {first.cls.name!r} (line {first.item.origin.line}) as well, and its precedence is"
        f" the same: {first.cls.name!r} gets them, because it is declared first",
        f"say which one is meant: 'precedence: {second.cls.precedence + 10}' in one of them",
    )
    return replace(problem, severity="warning")
