# SPDX-License-Identifier: GPL-2.0-only
"""The index finds what comparing all pairs finds."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from schedctl.glob import intersect
from schedctl.profile.overlap import check_overlaps
from tests.resolve.profiles import profile

PATTERN = st.sampled_from(["a", "ab", "abc", "b", "a*", "ab*", "*b", "*c", "a*c", "?b", "[ab]*", "b*b", "*"])
PATTERNS = st.lists(PATTERN, min_size=1, max_size=2, unique=True)
ITEM = st.tuples(PATTERNS, st.none() | PATTERNS)
CLASSES = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 1), st.lists(ITEM, min_size=1, max_size=3)),
    min_size=2,
    max_size=4,
)
Item = tuple[list[str], list[str] | None]


def text(classes: list[tuple[int, int, list[Item]]]) -> str:
    lines = ["classes:"]
    for i, (level, precedence, items) in enumerate(classes):
        lines.append(f"  c{i}:\n    level: {level}\n    precedence: {precedence}\n    match:")
        for comm, cgroup in items:
            keys = f"comm: {comm}" + (f", cgroup: {cgroup}" if cgroup else "")
            lines.append(f"      - {{{keys}}}")
    return "\n".join(lines) + "\n"


def meet(one: list[str], other: list[str]) -> bool:
    return any(intersect(a, b) for a in one for b in other)


def both(one: Item, other: Item) -> bool:
    if (one[1] is None) != (other[1] is None) or not meet(one[0], other[0]):
        return False
    return one[1] is None or other[1] is None or meet(one[1], other[1])


@given(CLASSES)
@settings(deadline=None)
def test_agrees_with_all_pairs(classes: list[tuple[int, int, list[Item]]]) -> None:
    wanted = {
        (f"c{i}", f"c{j}")
        for (i, a), (j, b) in combinations(enumerate(classes), 2)
        if a[0] != b[0] and a[1] == b[1] and any(both(x, y) for x in a[2] for y in b[2])
    }
    found = [(p.message.split("'")[1], p.path.split(".")[1]) for p in check_overlaps(profile(text(classes)))]
    assert len(found) == len(set(found))
    assert set(found) == wanted
