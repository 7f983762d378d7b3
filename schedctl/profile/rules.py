# SPDX-License-Identifier: GPL-2.0-only
"""What needs several values, or more than a schema can say: checked on document and profile."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from schedctl.errors import Problem
from schedctl.profile.boost import check_boost
from schedctl.profile.budget import check_budget
from schedctl.profile.document import Path_, Sourced, problem_at
from schedctl.profile.items import check_items, check_realtime_users
from schedctl.profile.model import DEFAULT_CLASS, Origin, Policy, Profile, ThreadClass, Tier
from schedctl.profile.notes import note_of
from schedctl.profile.overlap import check_overlaps
from schedctl.profile.rates import check_rates
from schedctl.profile.resources import check_resources
from schedctl.profile.times import check_times
from schedctl.quantity import format_share

MAX_SHARES = Fraction(9, 10)
_SHARES = ("fair_share", "background_share")
_DEFAULT_KEYS = ("description", "weight", "slice")
# In the order in which a message names them.
_LEVEL_KEYS = ("period", "deadline", "runtime", "overrun", "threads", "rate_monotonic", "boost", "jitter")


def check_profile(document: Sourced, profile: Profile) -> Iterator[Problem]:
    """All problems of a profile whose layers the schema accepts."""
    yield from _check_shares(document, profile.policy)
    yield from check_realtime_users(document, profile.policy.realtime_users)
    for cls in profile.classes:
        if cls.name == DEFAULT_CLASS:
            problems = [*_check_default(document, cls)]
        else:
            problems = [*_check_class(document, profile, cls)]
        yield from problems
        if not problems and (note := note_of(document, cls)):
            yield note
    yield from check_overlaps(profile)
    yield from check_resources(document, profile)


def _check_shares(document: Sourced, policy: Policy) -> Iterator[Problem]:
    root: Any = document.value
    said = [key for key in _SHARES if key in (root.get("policy") or {})]
    fine = True
    for key in said:
        share, path = getattr(policy, key), ("policy", key)
        message, hint = None, ""
        if not Fraction(1, 100) <= share <= MAX_SHARES:
            message, hint = f"{format_share(share)} is out of range", "1% to 90%"
        elif (share * 1000).denominator != 1:
            message, hint = "finer than a tenth of a percent", "for example 12.5%"
        if message:
            fine = False
            yield problem_at(document.origin(path), path, message, hint)
    if fine and said and policy.fair_share + policy.background_share > MAX_SHARES:
        path, other = ("policy", said[-1]), next(key for key in _SHARES if key != said[-1])
        rest = getattr(policy, other)
        yield problem_at(
            document.origin(path),
            path,
            f"with the {other} of {format_share(rest)} this is more than {format_share(MAX_SHARES)}",
            f"at most {format_share(MAX_SHARES - rest)}",
        )


def _check_default(document: Sourced, cls: ThreadClass) -> Iterator[Problem]:
    root: Any = document.value
    for key in root["classes"][cls.name]:
        if key not in _DEFAULT_KEYS:
            path = ("classes", cls.name, key)
            yield problem_at(
                document.key_origin(path),
                path,
                f"{key!r} is not possible in the class 'default', which is what no rule matches",
                "it takes only 'description', 'weight' and 'slice'; give the class another name",
            )
    yield from check_times(document, cls)


def _check_class(document: Sourced, profile: Profile, cls: ThreadClass) -> Iterator[Problem]:
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
    yield from check_times(document, cls)
    if cls.tier is Tier.REALTIME and cls.level is not None:
        yield from check_rates(document, cls)
        yield from check_budget(document, cls, profile.policy.order)
        yield from check_boost(document, cls)
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
        yield from _check_no_level(document, cls, [key for key in _LEVEL_KEYS if key in keys])


def _check_no_level(document: Sourced, cls: ThreadClass, found: list[str]) -> Iterator[Problem]:
    """Several keys that miss the same level are one problem, at the first of them."""
    if not found:
        return
    paths: list[Path_] = [("classes", cls.name, key) for key in found]
    path = min(paths, key=lambda path: _position(document.key_origin(path)))
    quoted = [repr(key) for key in found]
    many = f"{', '.join(quoted[:-1])} and {quoted[-1]} need" if quoted[1:] else f"{quoted[0]} needs"
    message = f"{many} a level: this class is {cls.tier}"
    yield problem_at(document.origin(path), path, message, "add 'level: 1' to 7")


def _position(origin: Origin) -> tuple[str, int, int]:
    return origin.file, origin.line, origin.column
