# SPDX-License-Identifier: GPL-2.0-only
"""Hypothesis strategies for profiles and policy images; names come from small sets, so that two meet."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.profile.model import (
    DEFAULT_WEIGHT,
    MatchItem,
    Order,
    Origin,
    Policy,
    Profile,
    ThreadClass,
    Tier,
    default_deadline_ns,
)
from schedctl.profile.rules import MAX_DURATION_NS, MIN_DURATION_NS
from schedctl.resolve.assignment import resolve

ORIGIN = Origin("generated.yaml", 1, 1)
NAMES = ("audio", "builds", "compositor", "default", "game")
COMMS = ("cc1", "data-loop.0", "data-loop*", "game?", "[a-c]*", "é" * 7, "*" * 31)
CGROUPS = ("game.slice", "/system.slice/*", "/user.slice/user-0.slice/*", "build-*.scope", "x" * 127)

durations_ns = st.integers(MIN_DURATION_NS, MAX_DURATION_NS)
match_items = st.builds(
    lambda comm, cgroup, unit, user, leader, nice: MatchItem(
        comm=tuple(comm),
        cgroup=tuple(cgroup),
        unit=tuple(unit),
        user=tuple(user),
        leader=leader,
        nice=nice,
        origin=ORIGIN,
    ),
    st.lists(st.sampled_from(COMMS), max_size=3, unique=True),
    st.lists(st.sampled_from(CGROUPS), max_size=2, unique=True),
    st.lists(st.sampled_from(("a.service", "*.scope")), max_size=1),
    st.lists(st.sampled_from(("0", "1000")), max_size=2, unique=True),
    st.none() | st.booleans(),
    st.none() | st.just((-20, -5)),
).filter(lambda item: item.comm or item.cgroup or item.unit)
whole_items = st.builds(
    lambda item, excluded: replace(item, excluded=tuple(excluded)),
    match_items,
    st.lists(match_items, max_size=2),
)
policies = st.builds(
    Policy, st.sampled_from(Order), st.integers(10, 900).map(lambda permille: Fraction(permille, 1000))
)


@st.composite
def thread_classes(draw: st.DrawFn, name: str) -> ThreadClass:
    """A class as the checks let it pass: levels and deadlines only in the real-time tier."""
    weight = draw(st.integers(1, 10000))
    if name == "default":
        return ThreadClass(name, "", (), 0, Tier.FAIR, None, None, None, weight, ORIGIN)
    match = tuple(draw(st.lists(whole_items, min_size=1, max_size=3)))
    precedence, tier = draw(st.integers(-2, 2)), draw(st.sampled_from(Tier))
    if tier is not Tier.REALTIME:
        return ThreadClass(name, "", match, precedence, tier, None, None, None, weight, ORIGIN)
    level, period_ns = draw(st.integers(1, 7)), draw(st.none() | durations_ns)
    shortest = st.integers(MIN_DURATION_NS, period_ns or MAX_DURATION_NS)
    deadline_ns = draw(st.just(default_deadline_ns(level, period_ns)) | shortest)
    return ThreadClass(
        name, "", match, precedence, tier, level, period_ns, deadline_ns, DEFAULT_WEIGHT, ORIGIN
    )


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """A profile that passes all checks, classes in any order."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    classes = tuple(draw(thread_classes(name)) for name in names)
    return Profile(draw(st.sampled_from(["one", "two"])), "", draw(policies), classes, "generated.yaml")


def compiled(profile: Profile) -> PolicyImage:
    return compile_image(resolve(profile))


images = profiles().map(compiled)
