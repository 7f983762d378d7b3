# SPDX-License-Identifier: GPL-2.0-only
"""What the user declared, typed and frozen."""

from __future__ import annotations

from collections.abc import Sequence
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


class Overrun(StrEnum):
    """What becomes of a thread that has used its runtime before its period is over."""

    THROTTLE = "throttle"
    POSTPONE = "postpone"
    DEMOTE = "demote"
    IGNORE = "ignore"


class CpuMax(StrEnum):
    """What becomes of cgroups' CPU quotas, which the kernel does not enforce for sched_ext threads."""

    REFUSE = "refuse"
    IGNORE = "ignore"


class Admission(StrEnum):
    """What plan and apply do where the analysis disproves the deadlines."""

    ENFORCE = "enforce"
    WARN = "warn"
    OFF = "off"


class Power(StrEnum):
    BALANCED = "balanced"
    PERFORMANCE = "performance"


DEFAULT_CLASS = "default"
# The scopes of `schedctl run CLASS`: schedctl-run-CLASS-PID-N.scope.
RUN_PREFIX = "schedctl-run-"
DEFAULT_WEIGHT = 100
DEFAULT_FAIR_SHARE = Fraction(1, 10)
DEFAULT_BACKGROUND_SHARE = Fraction(1, 100)
DEFAULT_SLICE_NS = 4_000_000
REALTIME_SLACK_NS = 1  # the kernel takes 0 for "what it was"
TOP_LEVEL = 7
AUTO = "auto"  # of a period or a level: measured, or found from the period
NO_LIFT = "none"  # of boost.max_level
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
class Recovery:
    """`after` misses within `within_ns` lift a thread one level; each quiet `decay_ns` takes one back."""

    after: int
    within_ns: int
    decay_ns: int


@dataclass(frozen=True, slots=True)
class RateStep:
    """Periods up to `at_most_ns` have this level; None is every period."""

    at_most_ns: int | None
    level: int


DEFAULT_RATE_MONOTONIC = (
    RateStep(5_000_000, 7),
    RateStep(17_000_000, 6),
    RateStep(34_000_000, 5),
    RateStep(None, 3),
)


@dataclass(frozen=True, slots=True)
class ThreadClass:
    name: str
    description: str
    match: tuple[MatchItem, ...]
    precedence: int
    tier: Tier
    level: int | None  # 1..7; None outside the real-time tier; until a period is measured the `else` level
    period_ns: int | None  # declared
    deadline_ns: int | None  # relative, the default resolved; None outside the real-time tier, or as measured
    weight: int
    origin: Origin = field(default=NOWHERE, compare=False)
    runtime_ns: int | None = None  # per period and thread
    overrun: Overrun = Overrun.THROTTLE
    threads: int | None = None  # most at this level
    slice_ns: int = DEFAULT_SLICE_NS
    timer_slack_ns: int | None = None  # None = left alone
    max_level: int = TOP_LEVEL  # of all lifts; 0 = none
    recovery: Recovery | None = None
    measured: bool = False  # period: auto
    jitter_ns: int = 0
    rate_monotonic: tuple[RateStep, ...] = ()  # of level: auto, whose last step has every period

    @property
    def levels(self) -> tuple[int, ...]:
        """Those that a measured period can give it, else its own."""
        if self.measured and self.rate_monotonic:
            return tuple(step.level for step in self.rate_monotonic)
        return () if self.level is None else (self.level,)


@dataclass(frozen=True, slots=True)
class Policy:
    order: Order
    fair_share: Fraction
    realtime_users: tuple[str, ...] = DEFAULT_REALTIME_USERS
    """Whose threads a rule may lift by names alone: user, number, "@group" or ACTIVE_SEAT."""
    background_share: Fraction = DEFAULT_BACKGROUND_SHARE
    power: Power = Power.BALANCED
    cpu_max: CpuMax = CpuMax.REFUSE
    """Only the host's business: it is no part of the kernel's policy."""
    admission: Admission = Admission.WARN
    """As is this one."""


@dataclass(frozen=True, slots=True)
class SharedResource:
    """A lock that classes share: class -> its longest section, in ns."""

    name: str
    hold_ns: tuple[tuple[str, int], ...]
    inside: str | None = None
    ceiling: int | None = None  # None: the highest level of its users
    origin: Origin = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    description: str
    policy: Policy
    classes: tuple[ThreadClass, ...]  # in the order of declaration
    file: str = field(default="", compare=False)
    problems: tuple[Problem, ...] = field(default=(), compare=False)
    """Warnings: a profile with an error does not come into being."""
    notes: tuple[Problem, ...] = field(default=(), compare=False)
    """Right, and worth knowing for who writes the profile, not for who uses it."""
    resources: tuple[SharedResource, ...] = ()


def default_deadline_ns(level: int, period_ns: int | None) -> int:
    """The period, else 2^(8 - level) ms: 2 ms for level 7 up to 128 ms for level 1."""
    return period_ns if period_ns is not None else 2 ** (8 - level) * 1_000_000


def default_max_level(tier: Tier) -> int:
    return 1 if tier is Tier.BACKGROUND else TOP_LEVEL


def level_of(steps: Sequence[RateStep], period_ns: int | None) -> int:
    """The level of the first step that the period fits; without a period that of `else`."""
    for step in steps:
        if step.at_most_ns is None or (period_ns is not None and period_ns <= step.at_most_ns):
            return step.level
    return steps[-1].level
