# SPDX-License-Identifier: GPL-2.0-only
"""Rules as entries under anchors: how the kernel finds the few that a thread may match.

An anchor is what every text that an item takes equals, begins or ends with, or a number; each entry
stands under exactly one, so the kernel looks only at entries whose anchor a thread has. What would make
it look at more than the bounds of intf.h is refused, by rule.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from schedctl.glob import encoded, is_literal, literal_prefix, literal_suffix
from schedctl.image.model import ImageItem, ImageRule

MAX_RULES = 65536
MAX_PATTERNS = 262144
MAX_RULE_PATTERNS = 64
MAX_BUCKET_RULES = 64
MAX_SCANNED = 64
MAX_LENGTHS = 24
MAX_PROBES = 8
PATTERN_LEN = 128


class Subject(IntEnum):
    """enum subject: what a pattern looks at."""

    COMM = 0
    EXE = 1
    UNIT = 2
    USER_UNIT = 3
    CGROUP = 4
    CGROUP_PART = 5
    UID = 6
    GID = 7
    KTHREAD = 8
    LEADER = 9
    NICE = 10
    EXE_OWNER = 11
    REALTIME_UID = 12


NR_TEXT_SUBJECTS = 6
CGROUP_SUBJECTS = frozenset({Subject.UNIT, Subject.USER_UNIT, Subject.CGROUP, Subject.CGROUP_PART})
EQUAL, PREFIX, SUFFIX = range(3)

# The clause of each key, in the order of ImageItem; `cgroup` looks at the path or at its components.
KEYS = ImageItem.__slots__
_SUBJECT_OF = {
    "comm": Subject.COMM,
    "exe": Subject.EXE,
    "exe_owner": Subject.EXE_OWNER,
    "unit": Subject.UNIT,
    "user_unit": Subject.USER_UNIT,
    "user": Subject.UID,
    "group": Subject.GID,
    "kthread": Subject.KTHREAD,
    "leader": Subject.LEADER,
    "nice": Subject.NICE,
}
KEY_OF = {subject: key for key, subject in _SUBJECT_OF.items()} | {
    Subject.CGROUP: "cgroup",
    Subject.CGROUP_PART: "cgroup",
}


class Pattern(NamedTuple):
    """struct policy_pattern; a text's value is its length."""

    subject: Subject
    value: int | str
    clause: int
    group: int


Anchor = tuple[Subject, int, bytes]
"""(subject, EQUAL | PREFIX | SUFFIX, bytes); a suffix stands reversed, a number in four bytes."""


class Entry(NamedTuple):
    """struct policy_rule; `patterns` begin with the anchor's."""

    rank: int
    anchor: Anchor | None
    patterns: tuple[Pattern, ...]


class IndexLimitError(ValueError):
    """Rule `rank` is beyond a bound."""

    def __init__(self, rank: int, message: str) -> None:
        super().__init__(message)
        self.rank = rank


# --- from items to entries --------------------------------------------------------------------------


def _clauses(item: ImageItem, group: int) -> list[tuple[Pattern, ...]]:
    found = []
    for clause, key in enumerate(KEYS):
        value = getattr(item, key)
        if value in ((), None):
            continue
        if key == "nice":
            low, high = value
            values: Iterable[int | str] = [low & 0xFFFF | (high & 0xFFFF) << 16]
        else:
            values = value if isinstance(value, tuple) else [int(value)]
        found.append(tuple(Pattern(_subject(key, v), v, clause, group) for v in values))
    return found


def _subject(key: str, value: int | str) -> Subject:
    if key == "cgroup":
        return Subject.CGROUP if "/" in str(value) else Subject.CGROUP_PART
    return _SUBJECT_OF[key]


def _anchors(pattern: Pattern) -> tuple[Anchor, ...]:
    """What it could be found by: one of its ends, as long as possible; () where it has none."""
    if pattern.subject > Subject.GID:
        return ()
    if isinstance(pattern.value, int):
        return ((pattern.subject, EQUAL, anchor_of_number(pattern.value)),)
    if is_literal(pattern.value):
        return ((pattern.subject, EQUAL, encoded(pattern.value)),)
    prefix, suffix = encoded(literal_prefix(pattern.value)), encoded(literal_suffix(pattern.value))
    found = ((pattern.subject, PREFIX, prefix), (pattern.subject, SUFFIX, suffix[::-1]))
    return tuple(anchor for anchor in found if anchor[2])


def anchor_of_number(value: int) -> bytes:
    return value.to_bytes(4, "little")


@lru_cache(maxsize=2)
def arrange(rules: tuple[ImageRule, ...]) -> tuple[list[Entry], list[tuple[set[int], set[int]]]]:
    """All entries, those without an anchor first, equal anchors together by rank; the lengths in use.

    Raises IndexLimitError.
    """
    clauses = [_clauses(rule.item, 0) for rule in rules]
    candidates = [[[_anchors(pattern) for pattern in clause] for clause in item] for item in clauses]
    frequency = Counter(a for item in candidates for clause in item for ends in clause for a in ends)
    entries = []
    for rank, (rule, item) in enumerate(zip(rules, clauses, strict=True)):
        best, anchors = _best_clause(candidates[rank], frequency)
        others = [p for i, clause in enumerate(item) if i != best for p in clause]
        others += [
            p for group, excluded in enumerate(rule.excluded, 1) for c in _clauses(excluded, group) for p in c
        ]
        if len(others) >= MAX_RULE_PATTERNS or len(rule.excluded) > 255:
            raise IndexLimitError(
                rank,
                f"{len(others)} patterns besides the one it is found by, at most {MAX_RULE_PATTERNS - 1}",
            )
        if best is None:
            entries.append(Entry(rank, None, tuple(others)))
            continue
        for pattern, anchor in zip(item[best], anchors, strict=True):
            entries.append(Entry(rank, anchor, (pattern, *others)))
    entries, lengths = _limit_lengths(entries)
    entries.sort(key=lambda entry: (entry.anchor is not None, entry.anchor or (0, 0, b""), entry.rank))
    _check(entries)
    return entries, lengths


def _best_clause(
    item: Sequence[Sequence[tuple[Anchor, ...]]], frequency: Counter[Anchor]
) -> tuple[int | None, list[Anchor]]:
    """The clause by which fewest other entries are found, and its anchors.

    On a tie the cgroup's, as what that decides is cached.
    """
    best, chosen, best_cost = None, [], (0, False, 0)
    for number, clause in enumerate(item):
        if not all(clause):
            continue
        found = [min(ends, key=lambda anchor: (frequency[anchor], -len(anchor[2]))) for ends in clause]
        cost = (
            max(frequency[anchor] for anchor in found),
            found[0][0] not in CGROUP_SUBJECTS,
            -min(len(anchor[2]) for anchor in found),
        )
        if best is None or cost < best_cost:
            best, chosen, best_cost = number, found, cost
    return best, chosen


def _limit_lengths(entries: list[Entry]) -> tuple[list[Entry], list[tuple[set[int], set[int]]]]:
    """Prefixes and suffixes shortened so that at most MAX_LENGTHS lengths occur, the frequent ones."""
    lengths: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for entry in entries:
        if entry.anchor is not None and entry.anchor[1] != EQUAL:
            lengths[entry.anchor[:2]][len(entry.anchor[2])] += 1
    allowed = {where: _frequent(count) for where, count in lengths.items()}
    limited = [_shortened(entry, allowed) for entry in entries]
    used = [
        (set(allowed.get((subject, PREFIX), ())), set(allowed.get((subject, SUFFIX), ())))
        for subject in range(NR_TEXT_SUBJECTS)
    ]
    return limited, used


def _frequent(count: Counter[int]) -> list[int]:
    """At most MAX_LENGTHS of the lengths, the shortest among them."""
    if len(count) <= MAX_LENGTHS:
        return sorted(count)
    return sorted({min(count), *(length for length, _ in count.most_common(MAX_LENGTHS - 1))})


def _shortened(entry: Entry, allowed: dict[tuple[int, int], list[int]]) -> Entry:
    if entry.anchor is None or entry.anchor[1] == EQUAL:
        return entry
    subject, kind, text = entry.anchor
    fitting = max(length for length in allowed[subject, kind] if length <= len(text))
    return Entry(entry.rank, (subject, kind, text[:fitting]), entry.patterns)


def _check(entries: Sequence[Entry]) -> None:
    if len(entries) > MAX_RULES:
        last = max(entry.rank for entry in entries)
        raise IndexLimitError(last, f"{len(entries)} patterns to find rules by, at most {MAX_RULES} fit")
    if sum(len(entry.patterns) for entry in entries) > MAX_PATTERNS:
        raise IndexLimitError(max(entry.rank for entry in entries), f"more than {MAX_PATTERNS} patterns")
    shared = Counter(entry.anchor for entry in entries)
    seen: Counter[Anchor | None] = Counter()
    for entry in entries:
        seen[entry.anchor] += 1
        limit = MAX_SCANNED if entry.anchor is None else MAX_BUCKET_RULES
        if seen[entry.anchor] > limit:
            raise IndexLimitError(entry.rank, _crowded(entry.anchor, shared[entry.anchor], limit))


def _crowded(anchor: Anchor | None, number: int, limit: int) -> str:
    if anchor is None:
        return (
            f"{number} rules have no text that a name begins or ends with, nor a user or group:"
            f" every thread is held against each of them, at most {limit}"
        )
    subject, kind, data = anchor
    key = KEY_OF[subject]
    if subject >= NR_TEXT_SUBJECTS:
        return f"{number} rules are found by {key} {int.from_bytes(data, 'little')}, at most {limit}"
    text = (data[::-1] if kind == SUFFIX else data).decode(errors="replace")
    how = ("is", "begins with", "ends with")[kind]
    return f"{number} rules are found by a {key} that {how} '{text}', at most {limit}"
