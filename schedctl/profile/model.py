# SPDX-License-Identifier: GPL-2.0-only
"""What the user declared, typed and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from schedctl.errors import Problem


class Order(StrEnum):
    """Inside a level: earliest absolute deadline first, or first released first."""

    EDF = "edf"
    FIXED_PRIORITY = "fixed_priority"


class Tier(StrEnum):
    REALTIME = "realtime"
    FAIR = "fair"
    BACKGROUND = "background"


DEFAULT_CLASS = "default"
# The scopes of `schedctl run CLASS`: schedctl-run-CLASS-PID-N.scope.
RUN_PREFIX = "schedctl-run-"
DEFAULT_WEIGHT = 100
DEFAULT_FAIR_SHARE = Fraction(1, 10)
ACTIVE_SEAT = "active-seat"
# The keys of a match item whose values are texts.
TEXT_KEYS = ("comm", "exe", "cgroup", "unit", "user_unit", "user", "group")
PATTERN_KEYS = TEXT_KEYS[:5]
# The types of systemd units that hold processes.
MAX_CLASSES = 250  # 'default' among them
UNIT_SUFFIXES = (".service", ".scope", ".socket", ".mount", ".swap")
DEFAULT_REALTIME_USERS = ("root", ACTIVE_SEAT)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stands: file, line and column from 1, and the line's text."""

    file: str
    line: int
    column: int
    source: str = ""


NOWHERE = Origin("", 0, 0)


@dataclass(frozen=True, slots=True)
class MatchItem:
    """Strings of one key are alternatives, keys must all match; () and None = the key is absent."""

    comm: tuple[str, ...] = ()
    exe: tuple[str, ...] = ()
    cgroup: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    user_unit: tuple[str, ...] = ()
    user: tuple[str, ...] = ()  # names or decimal numbers
    group: tuple[str, ...] = ()
    exe_owner_root: bool = False
    kthread: bool | None = None
    leader: bool | None = None
    nice: tuple[int, int] | None = None  # lowest and highest
    excluded: tuple[MatchItem, ...] = ()  # none of them may match; they exclude nothing themselves
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class ThreadClass:
    name: str
    description: str
    match: tuple[MatchItem, ...]
    precedence: int
    tier: Tier
    level: int | None  # 1..7; None outside the real-time tier
    period_ns: int | None
    deadline_ns: int | None  # relative, the default resolved; None outside the real-time tier
    weight: int
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Policy:
    order: Order
    fair_share: Fraction
    realtime_users: tuple[str, ...] = DEFAULT_REALTIME_USERS
    """Whose threads a rule may lift by names alone: user, number, "@group" or ACTIVE_SEAT."""


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    description: str
    policy: Policy
    classes: tuple[ThreadClass, ...]  # in the order of declaration
    file: str = field(default="", compare=False)
    problems: tuple[Problem, ...] = field(default=(), compare=False)
    """Warnings and notes: a profile with an error does not come into being."""


def default_deadline_ns(level: int, period_ns: int | None) -> int:
    """The period, else 2^(8 - level) ms: 2 ms for level 7 up to 128 ms for level 1."""
    return period_ns if period_ns is not None else 2 ** (8 - level) * 1_000_000
