# SPDX-License-Identifier: GPL-2.0-only
"""--confirm-within: the time, the question on the terminal, and what became of it."""

from __future__ import annotations

import argparse
import math
import select
import sys
import time
from contextlib import suppress

from schedctl import history, paths
from schedctl.cli.carry import carried_out
from schedctl.cli.report import show
from schedctl.errors import ApplyError, SchedctlError, StateError, UsageError
from schedctl.history import Result
from schedctl.lock import locked
from schedctl.pending import Pending, read_pending
from schedctl.quantity import NS_PER_S, parse_duration_ns
from schedctl.report import Report, report_of
from schedctl.request import Request, Verb
from schedctl.session import is_remote

DEFAULT_NS = 60 * NS_PER_S
MIN_NS, MAX_NS = NS_PER_S, 3600 * NS_PER_S
_OFF = ("0", "no")
# Who takes over at the end has the lock, and the kernel, within so long.
_AFTERWARDS_S = 15.0
_STEP_S = 0.2


def within_ns(word: str | None) -> int | None:
    """None = nothing comes back. Without a word: 60 s where a person sits at a remote terminal."""
    if word is None:
        return DEFAULT_NS if sys.stdin.isatty() and is_remote() else None
    if word in _OFF:
        return None
    try:
        ns = parse_duration_ns(word)
    except ValueError as error:
        raise UsageError(f"--confirm-within: {error}", "for example 60s; 0 for no time limit") from None
    if not MIN_NS <= ns <= MAX_NS:
        raise UsageError(f"--confirm-within: {word} is not from 1s to 3600s")
    return ns


def asked(args: argparse.Namespace, report: Report) -> Report:
    """The report, and where something waits and a person can answer, what became of it."""
    pending = report.data.get("pending")
    if pending is None or args.json or not sys.stdin.isatty():
        return report
    show(args.verb, report, False)
    try:
        return _wait(pending["number"])
    except KeyboardInterrupt:
        print("\nwhat ran before comes back in time; `schedctl confirm` keeps what runs now", file=sys.stderr)
        raise
    except SchedctlError as error:  # the first report is out already
        return report_of(error)


def _wait(number: int) -> Report:
    while (pending := _still(number)) is not None and pending.left_s > 0:
        sys.stdout.write(f"\rkeep it? [y/N] ({math.ceil(pending.left_s)} s) ")
        sys.stdout.flush()
        if not select.select([sys.stdin], [], [], min(1.0, max(0.0, pending.left_s)))[0]:
            continue
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return carried_out(Request(Verb.CONFIRM, number=number))
        carried_out(Request(Verb.ROLLBACK, number=number, unconfirmed=True))
        return _became(number)
    sys.stdout.write("\n")
    end = time.monotonic() + _AFTERWARDS_S
    while _still(number) is not None:
        if time.monotonic() > end:
            raise ApplyError(
                "nobody confirmed, and what ran before is not back yet",
                "see `schedctl status` and the journal",
            )
        time.sleep(_STEP_S)
    return _became(number)


def _still(number: int) -> Pending | None:
    """What waits, if it is this one; a file that cannot be read waits for its end."""
    with suppress(StateError):
        found = read_pending()
        return found if found is not None and found.number == number else None
    return None


def _became(number: int) -> Report:
    """Whoever decided: this terminal, another one, or the time."""
    with locked(paths.lock_file()):  # who decides may not have written it down yet
        entry = history.read_history().entry(number)
    if entry is not None and entry.in_effect:
        what = (
            "confirmed from elsewhere" if entry.result is Result.CONFIRMED else "something else was applied"
        )
        return Report(text=what)
    ended = entry is not None and entry.reason == history.ENDED
    raise ApplyError(f"not confirmed: {history.ENDED if ended else 'what ran before is back'}")
