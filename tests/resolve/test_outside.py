# SPDX-License-Identifier: GPL-2.0-only
"""Threads in the classes before sched_ext, against the reference of matching."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from schedctl.resolve.match import OUTSIDE, SchedPolicy, Thread, classify, first_match
from schedctl.resolve.outside import Outside, RuleIndex, find_outside
from tests.resolve.profiles import assignment

NAMES = ("a", "b", "ab", "zz")
RULES = ("comm: a", "comm: [a, b]", "comm: 'a*'", "exe: /bin/a", "exe: '/bin/*'", "user: root", "nice: 5")


@st.composite
def items(draw: st.DrawFn) -> str:
    keys: dict[str, str] = {}
    for rule in draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=2)):
        keys[rule.split(":")[0]] = rule
    return "{" + ", ".join(keys.values()) + "}"


@given(
    st.lists(items(), min_size=1, max_size=6),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(list(SchedPolicy)),
    st.sampled_from((0, 1000)),
)
def test_the_index_finds_what_the_reference_finds(
    rules: list[str], comm: str, exe: str, policy: SchedPolicy, uid: int
) -> None:
    classes = "\n".join(f"  c{i}: {{match: [{item}], level: 5}}" for i, item in enumerate(rules))
    found = assignment(f"classes:\n{classes}\n")
    thread = Thread(comm.encode(), f"/bin/{exe}", policy=policy, uid=uid, nice=5 if exe == "a" else 0)
    assert RuleIndex(found).first_match(thread) == first_match(found, thread)
    effective = classify(found, thread).effective
    expected = policy in OUTSIDE and effective != "default"
    outside = find_outside(found, [(1, thread)])
    assert outside == ((Outside(1, thread.comm, policy, effective),) if expected else ())


def test_many_rules_are_quick() -> None:
    names = ", ".join(f"{{comm: n{i}}}" for i in range(15_000))
    found = assignment(f"classes: {{a: {{match: [{names}], tier: background}}}}\n")
    threads = [(i, Thread(b"n%d" % i, policy=SchedPolicy.FIFO)) for i in range(100)]
    start = time.process_time()
    assert len(find_outside(found, threads)) == 100
    assert time.process_time() - start < 0.3
