# SPDX-License-Identifier: GPL-2.0-only
"""Periods, levels from periods, budgets and lifts: what they become, and what is worth a note."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedctl.profile import load_profile_bytes
from schedctl.profile.model import (
    DEFAULT_RATE_MONOTONIC,
    Overrun,
    Profile,
    RateStep,
    Recovery,
    ThreadClass,
    level_of,
)
from schedctl.profile.times import MAX_DURATION_NS
from schedctl.quantity import parse_duration_ns, parse_runtime_ns
from tests.sched.programs import ROOT
from tests.strategies import durations_ns, rate_steps

MS = 1_000_000


def profile(keys: str, policy: str = "{}") -> Profile:
    text = f"schedctl: 1\nname: x\npolicy: {policy}\nclasses: {{game: {{match: [{{comm: x}}], {keys}}}}}"
    return load_profile_bytes(text.encode(), "x.yaml")


def game(keys: str) -> ThreadClass:
    return profile(keys).classes[0]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ("level: 5", {"slice_ns": 4 * MS, "timer_slack_ns": 1, "max_level": 7, "recovery": None}),
        ("level: 5", {"runtime_ns": None, "threads": None, "overrun": Overrun.THROTTLE, "measured": False}),
        ("weight: 1", {"slice_ns": 4 * MS, "timer_slack_ns": None, "max_level": 7, "rate_monotonic": ()}),
        ("tier: background", {"timer_slack_ns": None, "max_level": 1}),
        ("tier: background, timer_slack: 1ms, slice: 9ms", {"timer_slack_ns": MS, "slice_ns": 9 * MS}),
        ("level: 5, timer_slack: 50us, slice: 250us", {"timer_slack_ns": 50_000, "slice_ns": 250_000}),
        ("level: 5, period: 10ms, runtime: 1.0000001ms", {"runtime_ns": 1_000_001, "deadline_ns": 10 * MS}),
        ("level: 5, period: 10ms, runtime: 10ms", {"runtime_ns": 10 * MS}),
        ("level: 5, period: 9ms, runtime: 1ms, overrun: demote", {"overrun": Overrun.DEMOTE}),
        ("level: 5, threads: 3", {"threads": 3}),
        ("level: 5, period: auto", {"measured": True, "period_ns": None, "deadline_ns": None, "level": 5}),
        ("level: 5, period: auto, deadline: 3ms", {"measured": True, "deadline_ns": 3 * MS}),
        ("level: auto, period: auto", {"level": 3, "rate_monotonic": DEFAULT_RATE_MONOTONIC}),
        ("level: auto, period: 5ms", {"level": 7, "period_ns": 5 * MS, "deadline_ns": 5 * MS}),
        ("level: auto, period: 60Hz", {"level": 6, "measured": False}),
        ("level: auto, period: 30Hz", {"level": 5}),
        ("level: auto, period: 1s", {"level": 3, "deadline_ns": 1000 * MS}),
        (
            "level: auto, period: auto, rate_monotonic: [{at_most: 100Hz, level: 4}, {else: 1}]",
            {"level": 1, "levels": (4, 1), "rate_monotonic": (RateStep(10 * MS, 4), RateStep(None, 1))},
        ),
        ("level: auto, period: 2s, rate_monotonic: [{else: 2}]", {"level": 2, "levels": (2,)}),
        ("level: 5, boost: {max_level: none}", {"max_level": 0}),
        ("level: 5, boost: {max_level: 5}", {"max_level": 5}),
        (
            "level: 5, boost: {max_level: 6, recovery: {after: 3, within: 1s, decay: 2s}}",
            {"max_level": 6, "recovery": Recovery(3, 1000 * MS, 2000 * MS)},
        ),
    ],
)
def test_what_the_keys_become(keys: str, wanted: dict[str, Any]) -> None:
    cls = game(keys)
    assert {name: getattr(cls, name) for name in wanted} == wanted


@given(rate_steps(), st.none() | durations_ns)
def test_the_first_step_that_fits_decides(steps: tuple[RateStep, ...], period_ns: int | None) -> None:
    fitting = [s for s in steps if s.at_most_ns is None or (period_ns or 2**64) <= s.at_most_ns]
    assert level_of(steps, period_ns) == fitting[0].level


@given(st.decimals(0, 10**6, places=12))
def test_a_runtime_is_rounded_up(number: Any) -> None:
    text = f"{number:f}us"
    assert 0 <= parse_runtime_ns(text) - parse_duration_ns(text) <= 1
    assert parse_runtime_ns(text) >= number * 1000


def test_no_wait_of_a_class_comes_near_the_watchdog() -> None:
    header = (ROOT / "bpf" / "sched_math.h").read_text()
    found = re.search(r"#define TIMEOUT_MS ([0-9]+)", header)
    assert found
    assert int(found[1]) * MS // 8 >= MAX_DURATION_NS


# --- notes ---------------------------------------------------------------------------------------

NO_RUNTIME = "only the shares of the other tiers bound what this class takes: it has no runtime"
POSTPONE = "postpone protects the threads of the same level, not those of lower levels"
NO_RECOVERY = "nothing lifts the threads of this class: it has no recovery"


@pytest.mark.parametrize(
    ("keys", "path", "message"),
    [
        ("level: 6", "level", NO_RUNTIME),
        ("level: 7, period: 2ms", "level", NO_RUNTIME),
        ("level: auto, period: 10ms", "level", NO_RUNTIME),
        ("level: auto, period: auto", "level", NO_RUNTIME),
        ("level: 7, boost: {max_level: 7}", "level", NO_RUNTIME),
        ("level: 7, period: 2ms, runtime: 1ms, overrun: postpone", "overrun", POSTPONE),
        ("level: 3, period: 2ms, runtime: 1ms, overrun: postpone", "overrun", POSTPONE),
        ("level: 3, boost: {max_level: none}", "boost.max_level", NO_RECOVERY),
    ],
)
def test_one_note_of_a_class(keys: str, path: str, message: str) -> None:
    (note,) = profile(keys).notes
    assert (note.severity, note.path, note.message) == ("note", f"classes.game.{path}", message)
    assert note.line
    assert not profile(keys).problems


@pytest.mark.parametrize(
    "keys",
    [
        "level: 5",
        "weight: 3",
        "level: 7, period: 2ms, runtime: 1ms",
        "level: auto, period: 1s",
        "level: auto, period: auto, rate_monotonic: [{else: 5}]",
        "level: 5, boost: {max_level: 6, recovery: {after: 3, within: 1s, decay: 2s}}",
    ],
)
def test_nothing_to_note(keys: str) -> None:
    assert profile(keys).notes == ()
