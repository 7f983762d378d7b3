# SPDX-License-Identifier: GPL-2.0-only
"""`KEY=VALUE` on the command line: a rule to try, or a thread to think of."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from typing import Any

from schedctl import quantity
from schedctl.errors import Problem, ProfileError, UsageError
from schedctl.profile import check_and_parse
from schedctl.profile.document import load_text
from schedctl.profile.model import Profile
from schedctl.resolve.facts import HostFacts
from schedctl.resolve.match import SchedPolicy, Thread
from schedctl.resolve.units import unit_of, user_unit_of

RULE_CLASS = "match"
_EXCLUDED = "not:"
_THREAD_KEYS = [
    "comm",
    "exe",
    "exe_owner",
    "cgroup",
    "unit",
    "user_unit",
    "uid",
    "gid",
    "kthread",
    "leader",
    "nice",
    "policy",
]
_NEXT_KEY = re.compile(r",(?=[a-z_]+=)")


def rule_profile(words: Iterable[str]) -> Profile:
    """A profile whose only class has one rule: `comm=a* comm=b not:user=root`; raises UsageError.

    A key that is repeated means any of its values; each `not:KEY=VALUE` is excluded by itself.
    """
    item: dict[str, Any] = {}
    excluded: list[dict[str, Any]] = []
    for word in (part for text in words for part in _split(text)):
        key, value = _pair(word.removeprefix(_EXCLUDED))
        if word.startswith(_EXCLUDED):
            excluded.append({key: _typed(key, value)})
        elif key in item and key not in ("kthread", "leader", "nice", "exe_owner"):
            item[key] = [*(item[key] if isinstance(item[key], list) else [item[key]]), value]
        elif key in item:
            raise UsageError(f"{key!r} stands there twice")
        else:
            item[key] = _typed(key, value)
    if excluded:
        item["not"] = excluded
    rule = {"match": [item], "level": 1}
    text = json.dumps({"schedctl": 1, "name": RULE_CLASS, "classes": {RULE_CLASS: rule}})
    try:
        return check_and_parse(load_text(text, RULE_CLASS))
    except ProfileError as error:
        problems = tuple(Problem(p.severity, "", 0, 0, "", p.message, p.hint) for p in error.problems)
        raise UsageError("not a rule", problems=problems) from None


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}", "quote the whole rule once more") from None


def _pair(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not equals or not key:
        raise UsageError(f"{word!r} is not KEY=VALUE", "for example comm='data-loop*'")
    return key, value


def _typed(key: str, value: str) -> str | bool:
    if key in ("kthread", "leader") and value in ("true", "false"):
        return value == "true"
    return value


def thread_of(text: str, facts: HostFacts) -> Thread:
    """ "comm=…,uid=…,exe=…" as a thread; what is not said is as for an ordinary thread of root.

    Users and groups may be names that the facts know. Raises UsageError.
    """
    given = dict(_pair(part) for part in _NEXT_KEY.split(text))
    for old, new in (("user", "uid"), ("group", "gid")):
        if old in given:
            given[new] = given.pop(old)
    for key in given:
        if key not in _THREAD_KEYS:
            raise UsageError(f"a thread has no {key!r}", f"it has {', '.join(_THREAD_KEYS)}")
    comm = given.get("comm", "").encode(errors="surrogateescape")
    if len(comm) > 15:
        raise UsageError(f"a thread's name has at most 15 bytes, {given['comm']!r} has {len(comm)}")
    uid = _number("uid", given.get("uid", "0"), dict(facts.users))
    cgroup, user_unit = given.get("cgroup", "/"), given.get("user_unit", "")
    owner = f"user@{uid}.service" if user_unit else ""
    groups = {name: group.gid for name, group in facts.groups.items()}
    return Thread(
        comm,
        given.get("exe", ""),
        _number("exe_owner", given["exe_owner"], dict(facts.users)) if "exe_owner" in given else None,
        cgroup,
        given.get("unit", unit_of(cgroup) or owner),
        user_unit or user_unit_of(cgroup),
        uid,
        _number("gid", given.get("gid", "0"), groups),
        _flag("kthread", given.get("kthread", "false")),
        _flag("leader", given.get("leader", "true")),
        _nice(given.get("nice", "0")),
        _policy(given.get("policy", "other")),
    )


def _number(key: str, value: str, names: dict[str, int]) -> int:
    if value.isdecimal():
        return int(value)
    if value not in names:
        raise UsageError(f"{key}={value}: unknown here", "write the number")
    return names[value]


def _flag(key: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise UsageError(f"{key}={value}: expected true or false")
    return value == "true"


def _nice(value: str) -> int:
    try:
        low, high = quantity.parse_nice(value)
    except ValueError as error:
        raise UsageError(f"nice={value}: {error}") from None
    if low != high:
        raise UsageError(f"nice={value}: a thread has one nice value")
    return low


def _policy(value: str) -> SchedPolicy:
    try:
        return SchedPolicy(value)
    except ValueError:
        raise UsageError(f"policy={value}: unknown", f"one of {', '.join(SchedPolicy)}") from None
