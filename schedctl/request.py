# SPDX-License-Identifier: GPL-2.0-only
"""What a person asks for that changes the kernel: carried out by the command, or by the daemon for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from schedctl.errors import UsageError
from schedctl.kernel.protocol import Kernel
from schedctl.report import Report
from schedctl.selected import Choice, Selected
from schedctl.timer import SystemdTimer, Timer

REQUEST_VERSION = 1
# A command that waits for another one's apply; the daemon's thread must not wait so long.
LOCK_S = 30.0
_NO_LOGIN = 2**32 - 1
_MAX_COMMAND = 200
STANDING = Selected()


class Verb(StrEnum):
    APPLY = "apply"
    CONFIRM = "confirm"
    ROLLBACK = "rollback"
    DETACH = "detach"


@dataclass(frozen=True, slots=True)
class Who:
    """A process that asks: its user, who logged in at the beginning (None: nobody), its command line."""

    uid: int
    login_uid: int | None
    command: str


def who_is(pid: int, uid: int) -> Who:
    """As /proc tells it; what has ended has no command."""
    login_uid, command = None, ""
    with suppress(OSError, ValueError):
        found = int(Path(f"/proc/{pid}/loginuid").read_text())
        login_uid = None if found == _NO_LOGIN else found
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0").split("\0")
        if len(words) > 1 and "python" in words[0] and words[1].startswith("/"):
            words = words[1:]  # a script's interpreter is not what anybody has typed
        command = " ".join(words)[:_MAX_COMMAND]
    return Who(uid, login_uid, command)


def myself() -> Who:
    return who_is(os.getpid(), os.getuid())


@dataclass(frozen=True, slots=True)
class Request:
    """Only what the verb needs is set; see the verbs' own functions.

    Whoever carries it out reads the profile anew, by its name or from the copy.
    """

    verb: Verb
    selected: Selected = STANDING
    """apply: what is noted as selected; STANDING = what schedctl.yaml names."""
    copy: Path | None = None
    """apply: where what becomes the copy that `selected` names lies; it is moved or removed."""
    standing: str | None = None
    """apply: the profile that schedctl.yaml is to name from then on."""
    confirm_within_ns: int | None = None
    """apply, rollback: what ran before comes back, unless somebody confirms in time."""
    diff: bool = False
    """apply: say each difference."""
    takeover: bool = False
    """apply: end another scheduler that is attached."""
    number: int | None = None
    """rollback: the entry of the history; None = what ran before. With `unconfirmed`: of what is undone."""
    unconfirmed: bool = False
    """rollback: because nobody has confirmed."""

    def to_document(self) -> dict[str, Any]:
        return {
            "schedctl_request": REQUEST_VERSION,
            "verb": self.verb.value,
            "selected": {"choice": self.selected.choice.value, "value": self.selected.value},
            "copy": None if self.copy is None else str(self.copy),
            "standing": self.standing,
            "confirm_within_ns": self.confirm_within_ns,
            "diff": self.diff,
            "takeover": self.takeover,
            "number": self.number,
            "unconfirmed": self.unconfirmed,
        }

    @classmethod
    def from_document(cls, document: object) -> Request:
        """The inverse of to_document; UsageError says what is wrong with anything else."""
        read = _Reader(document)
        version = read.value("schedctl_request", int)
        if version != REQUEST_VERSION:
            raise UsageError(f"a request of version {version}, this schedctl knows {REQUEST_VERSION}")
        selected = _Reader(read.value("selected", dict))
        copy = read.value("copy", str, optional=True)
        request = cls(
            read.enum("verb", Verb),
            Selected(selected.enum("choice", Choice), selected.value("value", str)),
            None if copy is None else Path(copy),
            read.value("standing", str, optional=True),
            read.value("confirm_within_ns", int, optional=True),
            read.value("diff", bool),
            read.value("takeover", bool),
            read.value("number", int, optional=True),
            read.value("unconfirmed", bool),
        )
        selected.finish()
        read.finish()
        return request


class _Reader:
    """A mapping whose keys are taken one by one; whatever is left, missing or of another type is said."""

    def __init__(self, document: object) -> None:
        if not isinstance(document, dict):
            raise UsageError("a request is no mapping")
        self._left = dict(document)

    def value(self, key: str, kind: type[Any], optional: bool = False) -> Any:
        if key not in self._left:
            raise UsageError(f"a request without {key!r}")
        value = self._left.pop(key)
        if optional and value is None:
            return None
        if type(value) is not kind:  # True is no number here
            raise UsageError(f"a request whose {key!r} is not of type {kind.__name__}: {value!r:.40}")
        return value

    def enum(self, key: str, kind: type[StrEnum]) -> Any:
        word = self.value(key, str)
        try:
            return kind(word)
        except ValueError:
            raise UsageError(f"a request whose {key!r} is none of {', '.join(kind)}: {word!r:.40}") from None

    def finish(self) -> None:
        if self._left:
            raise UsageError(f"a request with an unknown key: {min(map(str, self._left))!r:.40}")


def carry_out(
    kernel: Kernel, request: Request, who: Who, lock_s: float = LOCK_S, timer: Timer | None = None
) -> Report:
    """Do what is asked, under the lock; the same for the command and for the daemon.

    Raises classes of errors.py: then what ran before still runs. LockHeldError after `lock_s`. `timer`
    is systemd's unless said otherwise; where the daemon runs, it counts, and there is none.
    """
    function: Callable[[Kernel, Request, Who, float, Timer], Report]
    match request.verb:
        case Verb.APPLY:
            from schedctl.change import apply as function
        case Verb.CONFIRM:
            from schedctl.keep import confirm as function
        case Verb.ROLLBACK:
            from schedctl.restore import rollback as function
        case Verb.DETACH:
            from schedctl.leave import detach as function
    return function(kernel, request, who, lock_s, timer or SystemdTimer())
