# SPDX-License-Identifier: GPL-2.0-only
"""Warnings about rules: what takes everything, and what two classes both take."""

from __future__ import annotations

import time

import pytest

from schedctl.profile.model import MatchItem
from tests.resolve.profiles import profile


def warnings(text: str) -> list[str]:
    found = profile(text).problems
    assert all(problem.severity == "warning" for problem in found)
    return [problem.message for problem in found]


def test_every_key_reaches_the_model() -> None:
    text = """classes:
  a:
    match:
      - comm: [x, "y*"]
        exe: "*/x"
        exe_owner: root
        cgroup: a.slice
        unit: a.service
        user: [alice, 7]
        group: 0x10
        kthread: false
        leader: true
        nice: "-20..-5"
        not: [{user_unit: "*"}, {nice: 19}]
"""
    item = profile(text).classes[0].match[0]
    assert item == MatchItem(
        comm=("x", "y*"),
        exe=("*/x",),
        exe_owner_root=True,
        cgroup=("a.slice",),
        unit=("a.service",),
        user=("alice", "7"),
        group=("16",),
        kthread=False,
        leader=True,
        nice=(-20, -5),
        excluded=(
            MatchItem(user_unit=("*",), origin=item.excluded[0].origin),
            MatchItem(nice=(19, 19), origin=item.excluded[1].origin),
        ),
        origin=item.origin,
    )
    assert item.origin.line == 6


@pytest.mark.parametrize("item", ["{comm: '*'}", "{cgroup: /*}", "{comm: '*', nice: '-20..19'}"])
def test_everything_at_level_7(item: str) -> None:
    assert warnings(f"classes:\n  a: {{match: [{item}], level: 7}}\n") == [
        "this takes every thread of the machine to level 7"
    ]
    assert warnings(f"classes:\n  a: {{match: [{item}], level: 6}}\n") == []


@pytest.mark.parametrize("item", ["{comm: '*', user: x}", "{comm: '*', not: {comm: x}}", "{leader: true}"])
def test_not_everything(item: str) -> None:
    assert warnings(f"classes:\n  a: {{match: [{item}], level: 7}}\n") == []


def test_a_folder_that_is_a_link() -> None:
    rule = "classes:\n  a: {match: [{exe: EXE}]}\n"
    assert warnings(rule.replace("EXE", "/bin/sh")) == [
        "where /bin is a link into /usr, this matches nothing"
    ]
    assert warnings(rule.replace("EXE", "[/bin/sh, /usr/bin/sh]")) == []


@pytest.mark.parametrize(
    ("one", "other", "warned"),
    [
        ("{comm: x}", "{comm: x}", True),
        ("{comm: x}", "{comm: y}", False),
        ("{comm: [a, b, x]}", "{comm: ['x*']}", True),
        ("{comm: '*x'}", "{comm: 'y*'}", True),
        ("{comm: 'ab*'}", "{comm: 'a[b-d]*'}", True),
        ("{comm: 'ab*c'}", "{comm: 'ab*d'}", False),
        ("{comm: x}", "{exe: '*'}", False),  # other predicates: nobody can say
        ("{comm: x, cgroup: a}", "{comm: x, cgroup: b}", False),
        ("{comm: x, cgroup: a}", "{comm: x, cgroup: a*}", True),
        ("{comm: x, not: {user: root}}", "{comm: x}", False),
        ("{user: [a, b]}", "{user: b}", True),
        ("{leader: true}", "{leader: true}", True),
        ("{leader: true}", "{leader: false}", False),
        ("{nice: '0..5'}", "{nice: '5..9'}", True),
        ("{comm: x, nice: '0..4'}", "{comm: x, nice: '5..9'}", False),
    ],
)
def test_overlaps(one: str, other: str, warned: bool) -> None:
    text = f"classes:\n  a: {{match: [{one}], level: 6}}\n  b: {{match: [{other}], level: 5}}\n"
    assert bool(warnings(text)) is warned
    assert warnings(text.replace("level: 5", "level: 6")) == []
    assert warnings(text.replace("level: 5", "level: 5, precedence: 3")) == []
    swapped = f"classes:\n  a: {{match: [{other}], level: 6}}\n  b: {{match: [{one}], level: 5}}\n"
    assert bool(warnings(swapped)) is warned


def test_the_second_of_several_items_with_one_name() -> None:
    first = "{comm: x, cgroup: a}, {comm: x, cgroup: b}"
    text = (
        f"classes:\n  a: {{match: [{first}], level: 6}}\n  b: {{match: [{{comm: x, cgroup: b}}], level: 5}}\n"
    )
    assert len(warnings(text)) == 1


def test_one_warning_per_pair_of_classes() -> None:
    text = "classes:\n  a: {match: [{comm: x}, {comm: y}], level: 6}\n  b: {match: [{comm: [y, x]}]}\n"
    assert warnings(text) == [
        "some threads fit 'a' (line 4) as well, and its precedence is the same:"
        " 'a' gets them, because it is declared first"
    ]


def test_many_rules_are_compared_in_time() -> None:
    """Worst case below the limit: globs that could meet anything, and do not."""
    lines = ["classes:"]
    for c in range(10):
        globs = ", ".join(f"{{comm: '{n:03x}*{c:02x}z'}}" for n in range(90))
        literals = ", ".join(f"{{comm: l{c}-{n}}}" for n in range(500))
        lines.append(f"  c{c}: {{match: [{globs}, {literals}], level: {c % 7 + 1}}}")
    from schedctl.profile.overlap import check_overlaps

    found = profile("\n".join(lines) + "\n")
    start = time.process_time()
    assert [*check_overlaps(found)] == []
    assert time.process_time() - start < 1
