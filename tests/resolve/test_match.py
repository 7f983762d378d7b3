# SPDX-License-Identifier: GPL-2.0-only
"""Each predicate, their combination, rank, and who may be lifted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedctl.profile.model import Tier
from schedctl.resolve.assignment import ResolvedItem
from schedctl.resolve.facts import Group, HostFacts
from schedctl.resolve.match import SchedPolicy, Thread, classify, failed_predicates, item_match
from tests.resolve.profiles import assignment, one_rule

FACTS = HostFacts(
    users={"root": 0, "alice": 1000, "bob": 1001},
    groups={"audio": Group(29, (1001,)), "wheel": Group(10, ())},
    active_seat=(1000,),
)
ROOTS = Thread(b"job", "/usr/bin/job", 0, "/system.slice/job.service", "job.service", leader=False)
ALICES = Thread(
    b"game",
    "/home/alice/game",
    1000,
    "/user.slice/user-1000.slice/user@1000.service/app.slice/game.scope",
    "user@1000.service",
    "game.scope",
    uid=1000,
    gid=1000,
    nice=5,
)
BOBS = replace(ALICES, uid=1001, gid=29)
KTHREAD = Thread(b"kworker/0:1", kthread=True, nice=-20)


@pytest.mark.parametrize(
    ("item", "thread", "failed"),
    [
        ("{comm: job}", ROOTS, []),
        ("{comm: [x, 'jo?']}", ROOTS, []),
        ("{comm: Job}", ROOTS, ["comm"]),
        ("{exe: /usr/*}", ROOTS, []),
        ("{exe: '*/job', exe_owner: root}", ROOTS, []),
        ("{exe: '*', exe_owner: root}", ALICES, ["exe_owner"]),
        ("{exe: '*'}", KTHREAD, ["exe"]),
        ("{exe_owner: root}", KTHREAD, ["exe_owner"]),
        ("{cgroup: job.service}", ROOTS, []),
        ("{cgroup: /system.slice/*}", ROOTS, []),
        ("{cgroup: '*'}", KTHREAD, ["cgroup"]),
        ("{cgroup: /*}", KTHREAD, []),
        ("{unit: job.service}", ROOTS, []),
        ("{unit: game.scope}", ALICES, ["unit"]),
        ("{unit: '*'}", KTHREAD, ["unit"]),
        ("{user_unit: game.*}", ALICES, []),
        ("{user_unit: '*'}", ROOTS, ["user_unit"]),
        ("{user: alice}", ALICES, []),
        ("{user: [bob, 1000]}", ALICES, []),
        ("{user: alice}", ROOTS, ["user"]),
        ("{group: audio}", BOBS, []),
        ("{group: [10, audio]}", ALICES, ["group"]),
        ("{kthread: true}", KTHREAD, []),
        ("{kthread: false}", KTHREAD, ["kthread"]),
        ("{leader: false}", ROOTS, []),
        ("{leader: false}", ALICES, ["leader"]),
        ("{nice: 5}", ALICES, []),
        ("{nice: '-20..4'}", ALICES, ["nice"]),
        ("{nice: -20}", KTHREAD, []),
        ("{comm: '*', not: {comm: game}}", ALICES, ["not"]),
        ("{comm: '*', not: [{comm: x}, {comm: g*, user: alice}]}", ALICES, ["not"]),
        ("{comm: '*', not: [{comm: x}, {comm: g*, user: bob}]}", ALICES, []),
        ("{comm: x, user: bob, nice: 0}", ALICES, ["comm", "user", "nice"]),
    ],
)
def test_predicates(item: str, thread: Thread, failed: list[str]) -> None:
    rules = [rule for rule in one_rule(item, facts=FACTS).rules if not rule.implicit]
    assert list(failed_predicates(rules[0].item, thread)) == failed


@pytest.mark.parametrize(
    ("item", "thread", "lifted"),
    [
        ("{comm: game}", ALICES, True),  # sits at an active seat
        ("{comm: game}", BOBS, False),
        ("{exe: '*', exe_owner: root}", replace(BOBS, exe_owner_uid=0), False),
        ("{cgroup: game.scope}", BOBS, False),
        ("{user_unit: game.scope}", BOBS, False),  # Bob may start any unit of that name
        ("{unit: user@*}", BOBS, True),
        ("{unit: '*'}", BOBS, False),
        ("{unit: [user@1000.service, '?*']}", BOBS, False),
        ("{user: bob}", BOBS, True),
        ("{group: audio}", BOBS, True),
        ("{kthread: true}", replace(KTHREAD, uid=7), True),
        ("{kthread: false}", BOBS, False),
        ("{leader: true, nice: 5}", BOBS, False),
        ("{comm: game, not: {user: alice}}", BOBS, False),
        ("{comm: game, not: {unit: x.service}}", BOBS, False),
    ],
)
def test_privilege(item: str, thread: Thread, lifted: bool) -> None:
    decision = classify(one_rule(item, facts=FACTS), thread)
    assert decision.matched == "rt"
    assert decision.held_back is not lifted
    assert (decision.tier, decision.level) == ((Tier.REALTIME, 5) if lifted else (Tier.FAIR, None))


def test_no_privilege_is_needed_below_the_realtime_tier() -> None:
    decision = classify(one_rule("{comm: game}", "tier: background", FACTS), BOBS)
    assert (decision.effective, decision.tier) == ("rt", Tier.BACKGROUND)


@pytest.mark.parametrize(
    ("users", "uids"),
    [
        ("[]", ()),
        ("[root]", (0,)),
        ("['@audio', 77]", (77, 1001)),
        ("[active-seat, '@10', nobody-here]", (1000,)),
        ("[bob, root, bob]", (0, 1001)),
    ],
)
def test_realtime_users(users: str, uids: tuple[int, ...]) -> None:
    assert assignment(f"policy: {{realtime_users: {users}}}\n", FACTS).realtime_uids == uids


def test_a_thread_that_is_held_back_is_default_whatever_later_rules_say() -> None:
    text = "classes:\n  a: {match: [{comm: game}], level: 5}\n  b: {match: [{user: bob}], tier: background}\n"
    decision = classify(assignment(text, FACTS), BOBS)
    assert (decision.matched, decision.effective) == ("a", "default")


def test_rank() -> None:
    text = """classes:
  a: {match: [{comm: g*}], weight: 1}
  b: {match: [{comm: ga*}], weight: 2, precedence: 5}
  c: {match: [{comm: gam*}], weight: 3, precedence: 5}
"""
    assert classify(assignment(text), ALICES).effective == "b"
    assert classify(assignment(text), ROOTS).effective == "default"


def test_sched_idle_is_background_in_any_class() -> None:
    decision = classify(one_rule("{comm: job}"), replace(ROOTS, policy=SchedPolicy.IDLE))
    assert (decision.effective, decision.tier, decision.level) == ("rt", Tier.BACKGROUND, None)


def test_unknown_names_match_nothing_and_are_warnings() -> None:
    found = one_rule("{user: alcie}, {comm: game, not: {group: adio}}", facts=FACTS)
    assert [rule.item.comm for rule in found.rules if not rule.implicit] == [("game",)]
    assert classify(found, ALICES).matched == "rt"
    messages = [(problem.severity, problem.message, problem.hint) for problem in found.problems]
    assert messages == [
        ("warning", "this host has no user 'alcie'", "did you mean 'alice'?"),
        ("warning", "this host has no group 'adio'", "did you mean 'audio'?"),
    ]


@pytest.mark.parametrize(
    ("scope", "matched"),
    [
        ("schedctl-run-a-123-1.scope", "a"),
        ("schedctl-run-a-1-123-1.scope", "a-1"),
        ("schedctl-run-a-1-5.scope", "a"),
        ("schedctl-run-a-b-5-6.scope", "default"),
        ("schedctl-run-a.scope", "default"),
    ],
)
def test_run_scopes_come_before_all_rules(scope: str, matched: str) -> None:
    text = """classes:
  a: {match: [{comm: x}], level: 5}
  a-1: {match: [{comm: x}], level: 6}
  high: {match: [{comm: nothing}, {comm: g*x}], weight: 5, precedence: 1000}
"""
    found = assignment(text, FACTS)
    by_user = replace(ALICES, user_unit=scope)
    assert classify(found, by_user).matched == matched
    assert not classify(found, by_user).held_back
    assert classify(found, replace(BOBS, user_unit=scope)).held_back is (matched != "default")
    assert classify(found, replace(ROOTS, unit=scope, uid=1001)).effective == matched


SINGLE = ("comm", "exe", "cgroup", "unit", "user_unit", "uids", "gids")
PATTERN = st.sampled_from(["a", "b", "*", "a*", "?", "/a", "/*", "[!a]"])


def items() -> st.SearchStrategy[ResolvedItem]:
    patterns = st.lists(PATTERN, max_size=3).map(tuple)
    numbers = st.lists(st.integers(0, 2), max_size=2).map(tuple)
    return st.builds(
        ResolvedItem,
        **dict.fromkeys(SINGLE[:5], patterns),
        **dict.fromkeys(SINGLE[5:], numbers),
        exe_owner_root=st.booleans(),
        kthread=st.none() | st.booleans(),
        leader=st.none() | st.booleans(),
        nice=st.none() | st.just((0, 1)),
    )


THREADS = st.builds(
    Thread,
    comm=st.sampled_from([b"", b"a", b"ab", b"b"]),
    exe=st.sampled_from(["", "/a", "/a/b"]),
    exe_owner_uid=st.sampled_from([None, 0, 1]),
    cgroup=st.sampled_from(["/", "/a", "/a/b"]),
    unit=st.sampled_from(["", "a", "b"]),
    user_unit=st.sampled_from(["", "a", "b"]),
    uid=st.integers(0, 2),
    gid=st.integers(0, 2),
    kthread=st.booleans(),
    leader=st.booleans(),
    nice=st.integers(0, 2),
)


@given(items(), THREADS)
@settings(deadline=None)
def test_a_list_is_its_alternatives_one_by_one(item: ResolvedItem, thread: Thread) -> None:
    """So a compiler may expand lists, or keep them."""
    choices: list[list[tuple[Any, ...]]] = [
        [(value,) for value in getattr(item, key)] or [()] for key in SINGLE
    ]
    changes: Iterator[dict[str, Any]] = (dict(zip(SINGLE, each, strict=True)) for each in product(*choices))
    expanded = (replace(item, **change) for change in changes)
    assert item_match(item, thread) == any(item_match(one, thread) for one in expanded)


@given(items(), items(), THREADS)
@settings(deadline=None)
def test_not_takes_away_exactly_what_matches(item: ResolvedItem, other: ResolvedItem, thread: Thread) -> None:
    wanted = item_match(item, thread) and not item_match(other, thread)
    assert item_match(replace(item, excluded=(other,)), thread) == wanted
    assert replace(item, excluded=(other,)).trusted == item.trusted
