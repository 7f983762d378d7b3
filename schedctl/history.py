# SPDX-License-Identifier: GPL-2.0-only
"""/var/lib/schedctl/history: who changed what runs, and what it was, so that it can come back.

One file per change, numbered. Numbers order them, not the clock, which may be set back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from schedctl import clock, durable, paths
from schedctl.errors import Problem, StateError
from schedctl.ran import Ran
from schedctl.request import Who

MAX_ENTRIES = 50
# Beside a limit of entries: a policy of thousands of rules has some megabytes.
MAX_BYTES = 64 * 1024 * 1024
_NAME = re.compile(r"([0-9]{1,9})\.json")


class Result(StrEnum):
    APPLIED = "applied"
    PENDING = "pending"
    """Waits for `schedctl confirm`."""
    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    """Nobody confirmed in time: what ran before came back."""
    REJECTED = "rejected"
    """A person did not confirm: what ran before came back at once."""
    FAILED = "failed"
    """The kernel or a disk refused: what ran before still runs."""


# The reasons of an UNCONFIRMED after which nothing came back.
ENDED = "a person has ended the scheduler meanwhile"
BOOT_ENDED = "the machine went down meanwhile"
IN_EFFECT = (Result.APPLIED, Result.PENDING, Result.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: `verb` is the command's, or `follow` for an edit that the daemon followed."""

    number: int
    at: str
    verb: str
    who: Who
    result: Result
    ran: Ran
    reason: str = ""

    @property
    def in_effect(self) -> bool:
        """Whether it was what ran, until the next one."""
        return self.result in IN_EFFECT

    def to_document(self) -> dict[str, Any]:
        return {
            "schedctl_history": 1,
            "number": self.number,
            "at": self.at,
            "verb": self.verb,
            "who": {"uid": self.who.uid, "login_uid": self.who.login_uid, "command": self.who.command},
            "result": self.result.value,
            "reason": self.reason,
            "profile": self.ran.profile,
            "hash": self.ran.hash,
            **self.ran.to_document(),
        }


@dataclass(frozen=True, slots=True)
class History:
    """Entries with the oldest first; a warning for each that cannot be read."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]

    def entry(self, number: int) -> Entry | None:
        return next((entry for entry in self.entries if entry.number == number), None)


def read_history() -> History:
    """StateError where the folder cannot be read; nothing where there is none."""
    entries, problems = [], []
    for number, path in _files():
        try:
            entries.append(_read(number, path))
        except StateError as error:
            hint = "it is passed over, and goes with time"
            problems.append(Problem("warning", "", 0, 0, "", error.message, hint))
    return History(tuple(entries), tuple(problems))


def read_newest() -> Entry | None:
    """The newest that was in effect and can be read; StateError where the folder cannot be."""
    for number, path in reversed(_files()):
        with suppress(StateError):
            entry = _read(number, path)
            if entry.in_effect:
                return entry
    return None


def next_number() -> int:
    """One more than the newest file's, readable or not; StateError."""
    return max((number for number, _ in _files()), default=0) + 1


def note_entry(entry: Entry) -> None:
    """Write it, and forget the oldest beyond the limits; StateError."""
    path = paths.history_dir() / f"{entry.number:06}.json"
    durable.write_json(path, entry.to_document(), durable.PRIVATE)
    _forget()


def set_result(number: int, result: Result, reason: str = "") -> None:
    """Of an entry that is there and can be read and written; the kernel and the notes do not wait for it."""
    with suppress(StateError):
        for found, path in _files():
            if found == number:
                entry = replace(_read(number, path), result=result, reason=reason)
                durable.write_json(path, entry.to_document(), durable.PRIVATE)


def new_entry(number: int, verb: str, who: Who, ran: Ran, result: Result, reason: str = "") -> Entry:
    return Entry(number, clock.today(), verb, who, result, ran, reason)


def _files() -> list[tuple[int, Path]]:
    """By number; StateError."""
    try:
        found = list(_numbered(paths.history_dir()))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(f"cannot read {paths.history_dir()}: {error.strerror}") from error
    return sorted(found)


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.iterdir():
        if match := _NAME.fullmatch(path.name):
            yield int(match[1]), path


def _read(number: int, path: Path) -> Entry:
    document = durable.read_json(path)
    try:
        if document is None:
            raise StateError(f"{path} is gone")
        who = document["who"]
        login_uid = who["login_uid"]
        return Entry(
            number,
            str(document["at"]),
            str(document["verb"]),
            Who(int(who["uid"]), None if login_uid is None else int(login_uid), str(who["command"])),
            Result(document["result"]),
            Ran.from_document(document),
            str(document["reason"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise StateError(f"{path} is damaged") from None


def _forget() -> None:
    """What cannot be removed stays until the next time."""
    total, kept = 0, 0
    for _, path in reversed(_files()):
        with suppress(OSError):
            total, kept = total + path.stat().st_size, kept + 1
            if kept > 1 and (kept > MAX_ENTRIES or total > MAX_BYTES):
                path.unlink()
