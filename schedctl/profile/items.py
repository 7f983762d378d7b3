# SPDX-License-Identifier: GPL-2.0-only
"""What one match item may say: patterns that can match, predicates that do not contradict each other."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from schedctl.errors import Problem
from schedctl.glob import encoded, glob_match, is_bare, is_literal, shortest, unclosed
from schedctl.profile.document import Path_, Sourced, problem_at
from schedctl.profile.model import (
    ACTIVE_SEAT,
    PATTERN_KEYS,
    TEXT_KEYS,
    UNIT_SUFFIXES,
    MatchItem,
    ThreadClass,
)

COMM_BYTES = 15
COMM_PATTERN_BYTES = 31
PATTERN_BYTES = 127
TOP_LEVEL = 7
MAX_ID = 2**32 - 2
_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\$?")
_LINKED_FOLDERS = ("/bin/", "/sbin/", "/lib/", "/lib64/")
# Every other type of unit, for a hint that fits.
_OTHER_SUFFIXES = (".slice", ".target", ".timer", ".path", ".device", ".automount", ".busname")


def check_items(document: Sourced, cls: ThreadClass) -> Iterator[Problem]:
    """All problems of a class's `match`; the document must have passed the schema."""
    root: Any = document.value
    for i, item in enumerate(cls.match):
        path: Path_ = ("classes", cls.name, "match", i)
        raw = root["classes"][cls.name]["match"][i]
        problems = [*_check_item(document, path, raw, item)]
        yield from problems
        if (
            not any(p.severity == "error" for p in problems)
            and cls.level == TOP_LEVEL
            and _says_nothing(item)
        ):
            problem = problem_at(
                item.origin,
                path,
                f"this takes {_most(item)} thread of the machine to level {TOP_LEVEL}",
                "name what is meant: a level helps only those who are few",
            )
            yield replace(problem, severity="warning")


def check_realtime_users(document: Sourced, users: Iterable[str]) -> Iterator[Problem]:
    for i, user in enumerate(users):
        if user != ACTIVE_SEAT and not _is_account(user.removeprefix("@")):
            path: Path_ = ("policy", "realtime_users", i)
            yield problem_at(
                document.origin(path),
                path,
                f"{user!r} is no user",
                f"a name, a number, '@group' or '{ACTIVE_SEAT}'",
            )


def _most(item: MatchItem) -> str:
    return "nearly every" if item.exe or item.unit or item.user_unit else "every"


def _says_nothing(item: MatchItem) -> bool:
    if item.excluded or item.user or item.group or item.exe_owner_root or item.nice not in (None, (-20, 19)):
        return False
    if item.kthread is not None or item.leader is not None:
        return False
    patterns = (pattern for key in PATTERN_KEYS for pattern in getattr(item, key))
    return all(is_bare(pattern.removeprefix("/")) for pattern in patterns)


def _check_item(document: Sourced, path: Path_, raw: dict[str, Any], item: MatchItem) -> Iterator[Problem]:
    for key in TEXT_KEYS:
        for i, text in enumerate(getattr(item, key)):
            where: Path_ = (*path, key, *((i,) if isinstance(raw[key], list) else ()))
            for message, hint in _check_text(key, text):
                yield problem_at(document.origin(where), where, message, hint)
    yield from _contradictions(document, path, item)
    yield from _links(document, path, raw, item)
    if set(raw) == {"not"}:
        yield problem_at(
            document.origin(path),
            path,
            "an item with nothing but 'not' names no thread",
            "add what should match; 'comm: \"*\"' is every thread",
        )
    for i, excluded in enumerate(item.excluded):
        is_list = isinstance(raw["not"], list)
        where = (*path, "not", *((i,) if is_list else ()))
        found = [*_check_item(document, where, raw["not"][i] if is_list else raw["not"], excluded)]
        yield from found
        if not found and _covers(excluded, item):
            yield problem_at(
                document.origin(where),
                where,
                "this excludes everything that the item matches",
                "narrow the 'not', or remove the item",
            )


def _contradictions(document: Sourced, path: Path_, item: MatchItem) -> Iterator[Problem]:
    if item.kthread:
        for key, found in (
            ("exe", item.exe),
            ("exe_owner", item.exe_owner_root),
            ("user_unit", item.user_unit),
        ):
            if found:
                where = (*path, key)
                yield problem_at(
                    document.key_origin(where),
                    where,
                    f"a kernel thread has no {key}: this matches nothing",
                    f"remove '{key}' or 'kthread: true'",
                )
    named = [p for p in item.unit if is_literal(p) and not p.startswith("user@")]
    if item.user_unit and item.unit and named == list(item.unit):
        where = (*path, "user_unit")
        yield problem_at(
            document.key_origin(where),
            where,
            "a thread of a user's manager is in the unit user@UID.service: this matches nothing",
            "remove 'unit' or 'user_unit'",
        )


def _links(document: Sourced, path: Path_, raw: dict[str, Any], item: MatchItem) -> Iterator[Problem]:
    """The kernel names an executable by where it lies, and /bin is a link to /usr/bin nearly everywhere."""
    for i, text in enumerate(item.exe):
        if text.startswith(_LINKED_FOLDERS) and f"/usr{text}" not in item.exe:
            where: Path_ = (*path, "exe", *((i,) if isinstance(raw["exe"], list) else ()))
            problem = problem_at(
                document.origin(where),
                where,
                f"where /{text.split('/')[1]} is a link into /usr, this matches nothing",
                f"write '/usr{text}', or both",
            )
            yield replace(problem, severity="warning")


def _covers(excluded: MatchItem, item: MatchItem) -> bool:
    """Whether each predicate of `excluded` takes all that the same predicate of `item` takes."""
    for key in TEXT_KEYS:
        wide, narrow = getattr(excluded, key), getattr(item, key)
        if wide and not (narrow and all(_within(pattern, wide) for pattern in narrow)):
            return False
    if excluded.exe_owner_root and not item.exe_owner_root:
        return False
    for key in ("kthread", "leader"):
        if getattr(excluded, key) not in (None, getattr(item, key)):
            return False
    if excluded.nice is None:
        return True
    return item.nice is not None and excluded.nice[0] <= item.nice[0] and item.nice[1] <= excluded.nice[1]


def _within(pattern: str, wide: Iterable[str]) -> bool:
    return any(
        pattern == other or other == "*" or (is_literal(pattern) and glob_match(other, encoded(pattern)))
        for other in wide
    )


def _check_text(key: str, text: str) -> Iterator[tuple[str, str | None]]:
    """What is wrong with one pattern or name, and what to write: at most one thing."""
    size = len(text.encode())
    if key in ("user", "group"):
        if not _is_account(text):
            yield f"{text!r} is no {key}", f"a {key} is one name, not a pattern, or a number up to {MAX_ID}"
    elif unclosed(text):
        yield f"the '[' of {text!r} is never closed", "a set is written [abc] or [a-z]"
    elif "\0" in text or "\n" in text:
        yield "a pattern is one line of text", None
    elif key == "comm":
        yield from _check_comm(text, size)
    elif size > PATTERN_BYTES:
        yield f"the pattern has {size} bytes, at most {PATTERN_BYTES} fit", None
    elif key == "exe" and not text.startswith(("/", "*", "?", "[")):
        yield (
            f"{text!r} can match no executable: the whole path is meant",
            f"write '*/{text.rsplit('/', 1)[-1]}', or the path from '/' on",
        )
    elif key == "cgroup" and "/" in text and not text.startswith(("/", "*", "?", "[")):
        yield f"{text!r} can match no cgroup: with a '/' the whole path is meant", f"write '/{text}'"
    elif key in ("unit", "user_unit") and "/" in text:
        yield f"{text!r} is a path, not a unit", f"write 'cgroup: \"{text}\"'"
    elif key in ("unit", "user_unit") and is_literal(text) and not text.endswith(UNIT_SUFFIXES):
        yield from _check_unit(text)


def _is_account(text: str) -> bool:
    """A name, or a number that a user can have."""
    return bool(_ACCOUNT.fullmatch(text)) and not (text.isdecimal() and int(text) > MAX_ID)


def _check_comm(text: str, size: int) -> Iterator[tuple[str, str | None]]:
    if is_literal(text) and size > COMM_BYTES:
        cut = text.encode()[:COMM_BYTES].decode(errors="ignore")
        yield (
            f"a thread's name has at most 15 bytes, {text!r} has {size}",
            f'the kernel cuts it to {cut!r}; or match the program: exe: "*/{text.rsplit("/", 1)[-1]}"',
        )
    elif size > COMM_PATTERN_BYTES:
        yield f"the pattern has {size} bytes, at most {COMM_PATTERN_BYTES} fit", None
    elif shortest(text) > COMM_BYTES:
        yield (
            f"{text!r} matches only names of {shortest(text)} bytes or more, a thread's has at most 15",
            "shorten it, or match the program with 'exe'",
        )


def _check_unit(text: str) -> Iterator[tuple[str, str | None]]:
    if text.endswith(".slice"):
        yield "no thread is in a slice itself, only in the units below", f"write 'cgroup: {text}'"
    elif text.endswith(_OTHER_SUFFIXES):
        yield f"a {text.rsplit('.', 1)[1]} holds no threads", "name the service or scope"
    else:
        stem, dot, suffix = text.rpartition(".")
        close = difflib.get_close_matches(f".{suffix}", UNIT_SUFFIXES, 1, 0.7) if dot else []
        hint = f"did you mean '{stem}{close[0]}'?" if close else f"write '{text}.service'"
        yield f"{text!r} is not a whole unit name", hint
