# SPDX-License-Identifier: GPL-2.0-only
"""The patterns of rules, over bytes: anchored, case-sensitive, without an escape character.

`*` is any run (of '/' too), `?` one byte, `[set]` one byte of a set with ranges, `[!set]` one outside
it; a ']' that comes first is a member. bpf/classify.bpf.c must agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

_ANY = frozenset(range(256))
_SPECIAL = frozenset("*?[")
_SINGLE = tuple(frozenset({byte}) for byte in range(256))

# The set of bytes that a token takes; None is '*'.
Token = frozenset[int] | None


def is_literal(pattern: str) -> bool:
    return not _SPECIAL & set(pattern)


def is_bare(pattern: str) -> bool:
    """True where the pattern says nothing, or nearly: '*' and '?' alone."""
    return "*" in pattern and not pattern.strip("*?")


def unclosed(pattern: str) -> bool:
    """True where a '[' has no ']'; one that comes first, or first after '!', is a member."""
    i = 0
    while (i := pattern.find("[", i)) >= 0:
        first = i + 1 + (pattern[i + 1 : i + 2] == "!")
        end = pattern.find("]", first + 1)
        if end < 0:
            return True
        i = end + 1
    return False


def encoded(text: str) -> bytes:
    """The bytes of a pattern or of a name; a name that is not UTF-8 comes as os.fsdecode gives it."""
    return text.encode(errors="surrogateescape")


@lru_cache(maxsize=65536)
def tokens(pattern: str) -> tuple[Token, ...]:
    found: list[Token] = []
    data, i = encoded(pattern), 0
    while i < len(data):
        byte = data[i]
        i += 1
        if byte == ord("*"):
            if not found or found[-1] is not None:
                found.append(None)
        elif byte == ord("?"):
            found.append(_ANY)
        elif byte == ord("["):
            members, i = _set(data, i)
            found.append(members)
        else:
            found.append(_SINGLE[byte])
    return tuple(found)


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
    """True where the whole of `text` matches; at most len(pattern) x len(text) steps."""
    if is_literal(pattern):
        return encoded(pattern) == text
    wanted = tokens(pattern)
    at = pos = 0
    star_at, star_pos = -1, 0
    while pos < len(text):
        if at < len(wanted) and (token := wanted[at]) is None:
            at += 1
            star_at, star_pos = at, pos
        elif at < len(wanted) and token is not None and text[pos] in token:
            at += 1
            pos += 1
        elif star_at >= 0:
            star_pos += 1
            at, pos = star_at, star_pos
        else:
            return False
    return all(token is None for token in wanted[at:])


def shortest(pattern: str) -> int:
    """The bytes of the shortest text that matches."""
    return sum(token is not None for token in tokens(pattern))


def intersect(one: str, other: str) -> bool:
    """Whether some text matches both."""
    if is_literal(other):
        return glob_match(one, encoded(other))
    if is_literal(one):
        return glob_match(other, encoded(one))
    a, b = tokens(one), tokens(other)
    todo, seen = [(0, 0)], {(0, 0)}
    while todo:
        i, j = todo.pop()
        if i == len(a) and j == len(b):
            return True
        for state in _steps(a, b, i, j):
            if state not in seen:
                seen.add(state)
                todo.append(state)
    return False


def _steps(a: tuple[Token, ...], b: tuple[Token, ...], i: int, j: int) -> Iterator[tuple[int, int]]:
    """A '*' may end, or take what the other takes."""
    in_a, in_b = i < len(a), j < len(b)
    if in_a and a[i] is None:
        yield i + 1, j
        if in_b and b[j] is not None:
            yield i, j + 1
    if in_b and b[j] is None:
        yield i, j + 1
        if in_a and a[i] is not None:
            yield i + 1, j
    if in_a and in_b:
        x, y = a[i], b[j]
        if x is not None and y is not None and x & y:
            yield i + 1, j + 1


def literal_prefix(pattern: str) -> str:
    """What every matching text begins with: the characters before the first special one."""
    cut = min((i for i in map(pattern.find, _SPECIAL) if i >= 0), default=len(pattern))
    return pattern[:cut]


def literal_suffix(pattern: str) -> str:
    """What every matching text ends with; "" where the last special character may be in a set."""
    cut = max(pattern.rfind(special) for special in "*?]")
    return "" if "[" in pattern[cut + 1 :] else pattern[cut + 1 :]
