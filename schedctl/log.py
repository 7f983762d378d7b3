# SPDX-License-Identifier: GPL-2.0-only
"""Structured messages to the journal, to stderr where no journal listens; however much happens, few."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum

from schedctl.messages import MESSAGES, Kind
from schedctl.printable import shown

# Of each kind so many entries in this time, whatever happens; the rest is counted in one more.
WINDOW_S = 10.0
MAX_PER_KIND = 10
# For `schedctl status`.
NR_RECENT = 20
MAX_LINES, MAX_LINE = 60, 1000
# Fields of several lines; the kernel's dump has 32 KiB.
_TEXTS, MAX_TEXT = {"dump"}, 1 << 16


class Priority(IntEnum):
    """Of syslog(3)."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


@dataclass(frozen=True, slots=True)
class Entry:
    """What was said; `fields` are in the journal as SCHEDCTL_NAME. Nobody's names can do harm in it."""

    at_ns: int  # CLOCK_REALTIME
    kind: Kind
    priority: Priority
    message: str
    fields: dict[str, str]


@dataclass(slots=True)
class _Window:
    until: float
    said: int = 0
    suppressed: int = 0


@dataclass(slots=True)
class Journal:
    """What this process says. Call `flush` once the time of `due_at` has come."""

    clock: Callable[[], float] = time.monotonic
    recent: deque[Entry] = field(default_factory=lambda: deque(maxlen=NR_RECENT))
    _windows: dict[Kind, _Window] = field(default_factory=dict)

    def say(self, entry: Entry) -> None:
        window = self._windows.setdefault(entry.kind, _Window(self.clock() + WINDOW_S))
        if window.said == MAX_PER_KIND:
            window.suppressed += 1
            return
        window.said += 1
        self._say(entry)

    def due_at(self) -> float | None:
        """None where nothing is held back."""
        return min((window.until for window in self._windows.values() if window.suppressed), default=None)

    def flush(self, at_once: bool = False) -> None:
        """What is over is summed up, and may be said again."""
        now = self.clock()
        for kind, window in list(self._windows.items()):
            if window.until <= now or at_once:
                del self._windows[kind]
                if window.suppressed:
                    self._say(_suppressed(kind, window.suppressed))

    def _say(self, entry: Entry) -> None:
        self.recent.append(entry)
        _send(entry)


_journal = Journal()


def begin(clock: Callable[[], float]) -> Journal:
    """From now on `log` writes to a new one."""
    global _journal
    _journal = Journal(clock)
    return _journal


def log(message: str, kind: Kind, priority: Priority = Priority.INFO, **fields: str | int | None) -> None:
    """One entry: `kind` and `fields` become SCHEDCTL_EVENT, SCHEDCTL_NAME=… (None is left out)."""
    _journal.flush()
    _journal.say(_entry(message, kind, priority, fields))


def _entry(message: str, kind: Kind, priority: Priority, fields: dict[str, str | int | None]) -> Entry:
    lines = message.split("\n")
    if len(lines) > MAX_LINES:
        lines[MAX_LINES:] = [f"… and {len(lines) - MAX_LINES} more lines"]
    return Entry(
        time.time_ns(),
        kind,
        priority,
        "\n".join(shown(line[:MAX_LINE]) for line in lines),
        {name: _field(name, str(value)) for name, value in fields.items() if value is not None},
    )


def _field(name: str, value: str) -> str:
    if name in _TEXTS:
        return "\n".join(map(shown, value[:MAX_TEXT].split("\n")))
    return shown(value)[:MAX_LINE]


def _suppressed(kind: Kind, count: int) -> Entry:
    nr = "1 entry" if count == 1 else f"{count} entries"
    text = f"{nr} suppressed ({kind}): there are more than {MAX_PER_KIND} in {WINDOW_S:g} s"
    return _entry(text, "suppressed", Priority.WARNING, {"kind": kind, "count": count})


def _send(entry: Entry) -> None:
    if "JOURNAL_STREAM" not in os.environ:
        sys.stderr.write(entry.message + "\n")
        return
    from systemd import journal

    with suppress(OSError):  # nobody listens: not a reason to stop
        journal.send(
            entry.message,
            MESSAGE_ID=MESSAGES[entry.kind].id,
            PRIORITY=str(int(entry.priority)),
            SYSLOG_IDENTIFIER="schedctld",
            SCHEDCTL_EVENT=entry.kind,
            **{f"SCHEDCTL_{name.upper()}": value for name, value in entry.fields.items()},
        )
