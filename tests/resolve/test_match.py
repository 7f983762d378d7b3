# SPDX-License-Identifier: GPL-2.0-only
"""The reference matcher against fnmatch, against the compiled rules, and by example."""

from __future__ import annotations

from fnmatch import fnmatchcase
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedctl.image.model import PolicyImage
from schedctl.profile.model import MatchItem, Order, Policy, Profile, ThreadClass, Tier
from schedctl.profile.rules import unclosed
from schedctl.resolve.assignment import resolve
from schedctl.resolve.match import Decision, Thread, cgroup_match, classify, glob_match, item_match
from tests.strategies import CGROUPS, COMMS, ORIGIN, compiled, profiles

# Few letters, so that pattern and text meet. A set whose ends stand in the wrong order holds nothing.
texts = st.text(alphabet="abc-!]^/.", max_size=12)
sets = st.builds(
    lambda negated, members: f"[{negated}{members}]",
    st.sampled_from(["", "!"]),
    st.sampled_from(
        ["a", "ab", "a-c", "c-a", "]", "]a", "^a", "a-", "-", "-a", "a-bc", "!", "a!", "[", "*?"]
    ),
)
patterns = st.lists(st.sampled_from([*"abc-!]^/.", "*", "*", "?"]) | sets, max_size=8).map("".join)


@settings(max_examples=1000)
@given(patterns, texts)
def test_globs_are_those_of_fnmatch(pattern: str, text: str) -> None:
    if unclosed(pattern):
        return  # refused in a profile; fnmatch takes the '[' as it is
    assert glob_match(pattern, text.encode()) == fnmatchcase(text, pattern)


@given(st.binary(max_size=15))
def test_any_name_matches_a_star_and_its_length(comm: bytes) -> None:
    assert glob_match("*", comm)
    assert glob_match("?" * len(comm), comm)
    assert not glob_match("?" * (len(comm) + 1), comm)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("é", "é", True),
        ("?", "é", False),
        ("??", "é", True),
        ("a\\*", "a\\b", True),
        ("a\\*", "a*", False),
        ("[!a-c]x", "dx", True),
        ("[!a-c]x", "bx", False),
        ("[]]", "]", True),
        ("[!]]", "]", False),
        ("", "", True),
        ("", "a", False),
        ("A*", "ab", False),
        ("*" * 31, "", True),
    ],
)
def test_a_glob(pattern: str, text: str, matches: bool) -> None:
    assert glob_match(pattern, text.encode()) == matches


def test_a_glob_takes_no_exponential_time() -> None:
    assert not glob_match("*a" * 60 + "b", b"a" * 512)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("game.slice", "/user.slice/game.slice/app.scope", True),
        ("game.slice", "/user.slice/xgame.slice", False),
        ("game*", "/user.slice/game-1.scope", True),
        ("user*scope", "/user.slice/app.scope", False),
        ("*", "/", False),
        ("/", "/", True),
        ("/*", "/", True),
        ("/game.slice", "/game.slice", True),
        ("/game.slice", "/game.slice/app.scope", False),
        ("/game.slice/*", "/game.slice/app.scope", True),
        ("/game.slice/*", "/game.slice/a/b", True),
        ("/game.slice/*", "/game.slice", False),
        ("*/app.scope", "/a/b/app.scope", True),
        ("*/app.scope", "/a/b/app.scope2", False),
        ("game.slice/app.scope", "/game.slice/app.scope", False),
    ],
)
def test_a_cgroup_pattern(pattern: str, path: str, matches: bool) -> None:
    assert cgroup_match(pattern, path) == matches


def declared(name: str, precedence: int, *comms: str, level: int | None = None) -> ThreadClass:
    tier = Tier.FAIR if level is None else Tier.REALTIME
    match = (MatchItem(comms, (), ORIGIN),)
    return ThreadClass(name, "", match, precedence, tier, level, None, level, 100, ORIGIN)


def decide(classes: tuple[ThreadClass, ...], comm: bytes, uid: int = 0) -> Decision:
    profile = Profile("x", "", Policy(Order.EDF, Fraction(1, 10)), classes, "x.yaml")
    return classify(profile, Thread(comm, "/", uid))


def test_the_highest_precedence_wins_then_the_first_declared() -> None:
    low, first = declared("low", -1, "a*"), declared("first", 0, "a*")
    second, high = declared("second", 0, "a*"), declared("high", 5, "ab")
    for classes in ((low, first, second, high), (high, first, low, second)):
        assert decide(classes, b"ab").matched == "high"
        assert decide(classes, b"ac").matched == "first"
    assert decide((second, first), b"ac").matched == "second"
    assert decide((low,), b"ac").matched == "low"
    assert decide((low,), b"b") == Decision("default", "default")


def test_only_root_is_lifted() -> None:
    urgent, below = declared("urgent", 1, "a*", level=7), declared("below", 0, "a*")
    assert decide((urgent, below), b"a", uid=0) == Decision("urgent", "urgent")
    held_back = decide((urgent, below), b"a", uid=1000)
    assert held_back == Decision("urgent", "default"), "not the next class that matches"
    assert held_back.held_back
    assert not decide((below,), b"a", uid=1000).held_back


def test_strings_are_alternatives_and_keys_must_all_match() -> None:
    item = MatchItem(("a", "b"), ("/x", "y"), ORIGIN)
    for comm, cgroup, matches in [
        (b"a", "/x", True),
        (b"b", "/z/y", True),
        (b"a", "/z", False),
        (b"c", "/x", False),
    ]:
        assert item_match(item, Thread(comm, cgroup, 0)) == matches
    assert item_match(MatchItem((), ("/x",), ORIGIN), Thread(b"c", "/x", 0))


def first_rule(image: PolicyImage, thread: Thread) -> str:
    """What the kernel does with the compiled rules: the first that matches decides."""
    for rule in image.rules:
        if (rule.comm is None or glob_match(rule.comm, thread.comm)) and (
            rule.cgroup is None or cgroup_match(rule.cgroup, thread.cgroup)
        ):
            return rule.class_name
    return "default"


threads = st.builds(
    Thread,
    st.sampled_from([b"cc1", b"data-loop.0", b"data-loop", b"game1", b"bash", ("é" * 7).encode(), b""]),
    st.sampled_from(
        ["/", "/a/game.slice", "/system.slice/x", "/user.slice/user-0.slice/y", "/build-1.scope"]
    ),
    st.just(0),
)


@settings(max_examples=300)
@given(profiles(), threads)
def test_the_first_rule_of_the_image_is_the_class_of_the_profile(profile: Profile, thread: Thread) -> None:
    assert first_rule(compiled(profile), thread) == classify(profile, thread).matched


@given(profiles())
def test_rules_stand_in_rank_order(profile: Profile) -> None:
    precedences = {cls.name: cls.precedence for cls in profile.classes}
    places = {cls.name: i for i, cls in enumerate(profile.classes)}
    ranks = [(-precedences[rule.class_name], places[rule.class_name]) for rule in resolve(profile).rules]
    assert ranks == sorted(ranks)
    assert {rule.comm for rule in resolve(profile).rules} <= {None, *COMMS}
    assert {rule.cgroup for rule in resolve(profile).rules} <= {None, *CGROUPS}
