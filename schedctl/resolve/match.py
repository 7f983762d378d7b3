# SPDX-License-Identifier: GPL-2.0-only
"""The reference for classification: what bpf/classify.bpf.c must agree with.

Matching is over bytes. `*` is any run (of '/' too), `?` one byte, `[set]` one byte of a set with ranges,
`[!set]` one outside it; a ']' that comes first is a member. There is no escape character.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from schedctl.profile.model import DEFAULT_CLASS, MatchItem, Profile, ThreadClass, Tier


@dataclass(frozen=True, slots=True)
class Thread:
    """What a rule can look at: name (at most 15 bytes), cgroup path from the root, real uid."""

    comm: bytes
    cgroup: str
    uid: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The class whose rule matched, and the one in effect: `default` where privilege held it back."""

    matched: str
    effective: str

    @property
    def held_back(self) -> bool:
        return self.matched != self.effective


_ANY = frozenset(range(256))


@lru_cache(maxsize=4096)
def _tokens(pattern: bytes) -> tuple[frozenset[int] | None, ...]:
    """Each token is the set of bytes it takes; None is '*'."""
    tokens: list[frozenset[int] | None] = []
    i = 0
    while i < len(pattern):
        c = pattern[i : i + 1]
        i += 1
        if c == b"*":
            tokens.append(None)
        elif c == b"?":
            tokens.append(_ANY)
        elif c == b"[":
            members, i = _set(pattern, i)
            tokens.append(members)
        else:
            tokens.append(frozenset(c))
    return tuple(tokens)


def _set(pattern: bytes, i: int) -> tuple[frozenset[int], int]:
    negated = pattern[i : i + 1] == b"!"
    i += negated
    first, members = i, set[int]()
    while i < len(pattern) and (pattern[i] != ord("]") or i == first):
        low = high = pattern[i]
        if pattern[i + 1 : i + 2] == b"-" and pattern[i + 2 : i + 3] not in (b"", b"]"):
            high = pattern[i + 2]
            i += 2
        members.update(range(low, high + 1))
        i += 1
    return _ANY - members if negated else frozenset(members), i + 1


def glob_match(pattern: str, text: bytes) -> bool:
    """True where the whole of `text` matches."""
    tokens = _tokens(pattern.encode())
    states = {0}
    for byte in text:
        states = _closure(states, tokens)
        states = {
            n if tokens[n] is None else n + 1
            for n in states
            if n < len(tokens) and byte in (_ANY if (token := tokens[n]) is None else token)
        }
        if not states:
            return False
    return len(tokens) in _closure(states, tokens)


def _closure(states: set[int], tokens: tuple[frozenset[int] | None, ...]) -> set[int]:
    """A '*' may also take nothing."""
    closed = set(states)
    for state in states:
        n = state
        while n < len(tokens) and tokens[n] is None:
            n += 1
            closed.add(n)
    return closed


def cgroup_match(pattern: str, path: str) -> bool:
    """With a '/' the whole path is meant, without one any component."""
    if "/" in pattern:
        return glob_match(pattern, path.encode())
    return any(glob_match(pattern, part.encode()) for part in path.split("/") if part)


def item_match(item: MatchItem, thread: Thread) -> bool:
    return (not item.comm or any(glob_match(p, thread.comm) for p in item.comm)) and (
        not item.cgroup or any(cgroup_match(p, thread.cgroup) for p in item.cgroup)
    )


def classify(profile: Profile, thread: Thread) -> Decision:
    """Highest precedence wins, on a tie the class declared first; only uid 0 is lifted to real-time."""
    best: ThreadClass | None = None
    for cls in profile.classes:
        if (best is None or cls.precedence > best.precedence) and any(
            item_match(i, thread) for i in cls.match
        ):
            best = cls
    if best is None:
        return Decision(DEFAULT_CLASS, DEFAULT_CLASS)
    held_back = best.tier is Tier.REALTIME and thread.uid != 0
    return Decision(best.name, DEFAULT_CLASS if held_back else best.name)
