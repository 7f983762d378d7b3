# SPDX-License-Identifier: GPL-2.0-only
"""Hypothesis strategies for profiles and policy images; names come from small sets, so that two meet."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from schedctl.image import abi
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.profile.model import (
    DEFAULT_WEIGHT,
    TOP_LEVEL,
    CpuMax,
    MatchItem,
    Order,
    Origin,
    Overrun,
    Policy,
    Power,
    Profile,
    RateStep,
    Recovery,
    ThreadClass,
    Tier,
    default_deadline_ns,
    default_max_level,
    level_of,
)
from schedctl.profile.times import (
    MAX_DURATION_NS,
    MAX_RECOVERY_NS,
    MAX_SLACK_NS,
    MAX_SLICE_NS,
    MIN_DURATION_NS,
    MIN_RECOVERY_NS,
    MIN_SLICE_NS,
)
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


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    fair = draw(st.integers(10, 890))
    background = draw(st.integers(10, 900 - fair))
    return Policy(
        draw(st.sampled_from(Order)),
        Fraction(fair, 1000),
        background_share=Fraction(background, 1000),
        power=draw(st.sampled_from(Power)),
        cpu_max=draw(st.sampled_from(CpuMax)),
    )


levels = st.integers(1, 7)
slices_ns = st.integers(MIN_SLICE_NS, MAX_SLICE_NS)
slacks_ns = st.integers(1, MAX_SLACK_NS)
recoveries = st.builds(Recovery, st.integers(1, 1000), *[st.integers(MIN_RECOVERY_NS, MAX_RECOVERY_NS)] * 2)


@st.composite
def rate_steps(draw: st.DrawFn) -> tuple[RateStep, ...]:
    """Ascending, the last one for every period."""
    periods_ns = sorted(draw(st.sets(durations_ns, max_size=abi.MAX_RM_STEPS - 1)))
    return (*(RateStep(ns, draw(levels)) for ns in periods_ns), RateStep(None, draw(levels)))


@st.composite
def thread_classes(draw: st.DrawFn, name: str, order: Order) -> ThreadClass:
    """A class as the checks let it pass: levels, deadlines and budgets only in the real-time tier."""
    weight, slice_ns = draw(st.integers(1, 10000)), draw(slices_ns)
    if name == "default":
        return ThreadClass(name, "", (), 0, Tier.FAIR, None, None, None, weight, ORIGIN, slice_ns=slice_ns)
    match = tuple(draw(st.lists(whole_items, min_size=1, max_size=3)))
    tier = draw(st.sampled_from(Tier))
    cls = ThreadClass(
        name,
        "",
        match,
        draw(st.integers(-2, 2)),
        tier,
        None,
        None,
        None,
        weight,
        ORIGIN,
        slice_ns=slice_ns,
        timer_slack_ns=draw(slacks_ns if tier is Tier.REALTIME else st.none() | slacks_ns),
        max_level=default_max_level(tier),
    )
    return draw(with_level(cls, order)) if tier is Tier.REALTIME else cls


@st.composite
def with_level(draw: st.DrawFn, cls: ThreadClass, order: Order) -> ThreadClass:
    steps, measured = draw(st.just(()) | rate_steps()), draw(st.booleans())
    period_ns = None if measured else draw(durations_ns if steps else st.none() | durations_ns)
    level = level_of(steps, period_ns) if steps else draw(levels)
    shortest = st.integers(MIN_DURATION_NS, period_ns or MAX_DURATION_NS)
    usual = st.none() if measured else st.just(default_deadline_ns(level, period_ns))
    deadline_ns = draw(usual | shortest)
    cls = replace(
        cls,
        level=level,
        weight=DEFAULT_WEIGHT,
        period_ns=period_ns,
        deadline_ns=deadline_ns,
        measured=measured,
        rate_monotonic=steps,
        threads=draw(st.none() | st.integers(1, 100_000)),
    )
    if period_ns and deadline_ns and draw(st.booleans()):
        kinds = [kind for kind in Overrun if order is Order.EDF or kind is not Overrun.POSTPONE]
        runtime_ns = draw(st.integers(MIN_DURATION_NS, deadline_ns))
        cls = replace(cls, runtime_ns=runtime_ns, overrun=draw(st.sampled_from(kinds)))
    if min(cls.levels) < TOP_LEVEL and draw(st.booleans()):
        lowest = max(*cls.levels, min(cls.levels) + 1)
        return replace(cls, recovery=draw(recoveries), max_level=draw(st.integers(lowest, TOP_LEVEL)))
    return replace(cls, max_level=draw(st.just(0) | st.integers(max(cls.levels), TOP_LEVEL)))


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """A profile that passes all checks, classes in any order."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    policy = draw(policies())
    classes = tuple(draw(thread_classes(name, policy.order)) for name in names)
    return Profile(draw(st.sampled_from(["one", "two"])), "", policy, classes, "generated.yaml")


def compiled(profile: Profile) -> PolicyImage:
    return compile_image(resolve(profile))


images = profiles().map(compiled)
