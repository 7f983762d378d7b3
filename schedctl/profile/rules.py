# SPDX-License-Identifier: GPL-2.0-only
"""What needs several values, or more than a schema can say: checked on document and profile."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from schedctl.errors import Problem
from schedctl.profile.document import Path_, Sourced, problem_at
from schedctl.profile.items import check_items, check_realtime_users
from schedctl.profile.model import DEFAULT_CLASS, Profile, ThreadClass, Tier
from schedctl.profile.overlap import check_overlaps
from schedctl.quantity import format_duration, format_share

MIN_DURATION_NS = 100_000
MAX_DURATION_NS = 3_000_000_000
MAX_FAIR_SHARE = Fraction(9, 10)


def check_profile(document: Sourced, profile: Profile) -> Iterator[Problem]:
    """All problems of a profile whose layers the schema accepts."""
    yield from _check_share(document, profile)
    yield from check_realtime_users(document, profile.policy.realtime_users)
    for cls in profile.classes:
        yield from _check_default(document, cls) if cls.name == DEFAULT_CLASS else _check_class(document, cls)
    yield from check_overlaps(profile)


def _check_share(document: Sourced, profile: Profile) -> Iterator[Problem]:
    path: Path_ = ("policy", "fair_share")
    share = profile.policy.fair_share
    if not Fraction(1, 100) <= share <= MAX_FAIR_SHARE:
        yield problem_at(document.origin(path), path, f"{format_share(share)} is out of range", "1% to 90%")
    elif (share * 1000).denominator != 1:
        yield problem_at(document.origin(path), path, "finer than a tenth of a percent", "for example 12.5%")


def _check_default(document: Sourced, cls: ThreadClass) -> Iterator[Problem]:
    root: Any = document.value
    for key in root["classes"][cls.name]:
        if key not in ("description", "weight"):
            path = ("classes", cls.name, key)
            yield problem_at(
                document.key_origin(path),
                path,
                f"{key!r} is not possible in the class 'default', which is what no rule matches",
                "it takes only 'description' and 'weight'; give the class another name",
            )


def _check_class(document: Sourced, cls: ThreadClass) -> Iterator[Problem]:
    root: Any = document.value
    keys = root["classes"][cls.name]
    here: Path_ = ("classes", cls.name)
    if "match" not in keys:
        hint = "add 'match:' with at least one item"
        if close := difflib.get_close_matches(
            cls.name, [name for name in root["classes"] if name != cls.name], 1
        ):
            hint = f"did you mean {close[0]!r}? else {hint}"
        where = document.key_origin((*here, "match"))
        yield problem_at(where, here, f"the class {cls.name!r} matches nothing", hint)
    yield from _check_tier(document, cls, keys)
    for key, ns in (("period", cls.period_ns), ("deadline", cls.deadline_ns)):
        if key in keys and ns is not None and not MIN_DURATION_NS <= ns <= MAX_DURATION_NS:
            path = (*here, key)
            yield problem_at(document.origin(path), path, f"{keys[key]} is out of range", "100us to 3s")
    if "deadline" in keys and cls.period_ns and cls.deadline_ns and cls.deadline_ns > cls.period_ns:
        path = (*here, "deadline")
        yield problem_at(
            document.origin(path),
            path,
            f"the deadline {keys['deadline']} is longer than the period {keys['period']}",
            f"at most {format_duration(cls.period_ns)}",
        )
    yield from check_items(document, cls)


def _check_tier(document: Sourced, cls: ThreadClass, keys: dict[str, Any]) -> Iterator[Problem]:
    here: Path_ = ("classes", cls.name)
    if cls.tier is Tier.REALTIME and cls.level is None:
        yield problem_at(
            document.origin((*here, "tier")),
            (*here, "tier"),
            "the realtime tier needs a level",
            "add 'level: 1' to 7",
        )
    if cls.tier is not Tier.REALTIME and cls.level is not None:
        yield problem_at(
            document.origin((*here, "level")),
            (*here, "level"),
            f"a level is for the realtime tier, this class is {cls.tier}",
            "remove 'level' or 'tier'",
        )
    if cls.tier is Tier.REALTIME and "weight" in keys:
        yield problem_at(
            document.origin((*here, "weight")),
            (*here, "weight"),
            "a weight is for the fair and background tiers",
            "remove it: levels and deadlines order the realtime tier",
        )
    if cls.tier is not Tier.REALTIME and cls.level is None:
        for key in ("deadline", "period"):
            if key in keys:
                path = (*here, key)
                yield problem_at(
                    document.origin(path),
                    path,
                    f"a {key} needs a level: this class is {cls.tier}",
                    "add 'level: 1' to 7",
                )
