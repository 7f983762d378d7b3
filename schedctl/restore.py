# SPDX-License-Identifier: GPL-2.0-only
"""schedctl rollback: a policy that ran before runs again, because a person says so or nobody confirmed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from schedctl import history, paths
from schedctl.books import UNCONFIRMED, Errand
from schedctl.ejections import ended_by_person
from schedctl.errors import MissingError, Problem, StateError
from schedctl.history import Entry, Result, new_entry
from schedctl.image.model import PolicyImage
from schedctl.kernel.protocol import Kernel
from schedctl.lock import locked
from schedctl.notes import Notes, notes_for, write_notes
from schedctl.observe import Owner, observe
from schedctl.pending import Pending, clear_pending, read_pending, waiting
from schedctl.plan import refuse
from schedctl.profile.model import CpuMax
from schedctl.ran import Ran, policy_hash
from schedctl.reconcile import Outcome, end_swap, reconcile
from schedctl.report import Report
from schedctl.request import Request, Who
from schedctl.timer import Timer
from schedctl.trying import clear_mark

# A timer begins to count a little before the deadline is written.
EARLY_S = 1.0


def rollback(kernel: Kernel, request: Request, who: Who, lock_s: float, timer: Timer) -> Report:
    """To entry N of the history, without a number to what ran before; MissingError where there is none."""
    kernel.check()
    with locked(paths.lock_file(), lock_s):
        if request.unconfirmed:
            return _undo_pending(kernel, request, who, timer)
        found = history.read_history()
        live = observe(kernel)
        refuse(live)
        entry = _entry(found.entries, request.number, live.image)
        errand = Errand(who, "rollback", timer, notes_for(entry.ran), request.confirm_within_ns)
        outcome = _bring_back(kernel, entry.ran, errand)
    text = f"rolled back to number {entry.number}: {_what(entry.ran)}"
    if outcome is not None and not outcome.plan.changed:
        text = f"nothing to change: number {entry.number} runs, {_what(entry.ran)}"
    return _report(text, outcome, found.problems)


def _entry(entries: tuple[Entry, ...], number: int | None, live: PolicyImage | None) -> Entry:
    if number is not None:
        for entry in entries:
            if entry.number == number:
                return entry
        raise MissingError(f"the history has no number {number}", "`schedctl history` lists them")
    now = policy_hash(live) if live else None
    for entry in reversed(entries):
        if entry.in_effect and entry.ran.hash != now:
            return entry
    raise MissingError("nothing ran before", "`schedctl history` lists what did; `schedctl detach` ends it")


def _what(ran: Ran) -> str:
    return f"profile {ran.profile}" if ran.image else "nothing attached"


def _bring_back(kernel: Kernel, ran: Ran, errand: Errand) -> Outcome | None:
    """None where what comes back is nothing."""
    if ran.image is not None:
        return reconcile(kernel, ran.image, ran.cpu_max, errand)
    assert errand.notes is not None
    leave(kernel, errand.notes, errand.who, errand.verb, errand.timer)
    return None


def leave(kernel: Kernel, notes: Notes, who: Who, verb: str, timer: Timer | None) -> StateError | None:
    """Detach, and note it: first the note, so that a daemon does not attach again.

    The way out does not hang on a disk: the StateError is returned.
    """
    attached = observe(kernel).owner is Owner.SCHEDCTL
    unnoted: StateError | None = None
    try:
        write_notes(notes)
    except StateError as error:
        unnoted = error
    kernel.detach()
    pending = waiting()
    for forget in (clear_pending, clear_mark):
        try:
            forget()
        except StateError as error:
            unnoted = unnoted or error
    if timer is not None and pending is not None and pending.timer:
        timer.disarm(pending.timer)
    if attached:
        with suppress(StateError):
            if pending is not None:
                history.set_result(pending.number, Result.APPLIED)
            ran = Ran(None, CpuMax.REFUSE, notes.selected)
            number = history.next_number()
            history.note_entry(new_entry(number, verb, who, ran, Result.APPLIED))
    return unnoted


# --- nobody confirmed -----------------------------------------------------------------------------


def _undo_pending(kernel: Kernel, request: Request, who: Who, timer: Timer) -> Report:
    """What waits for a confirmation is undone; nothing where it no longer does, or another one does."""
    problems: tuple[Problem, ...] = ()
    try:
        pending = read_pending()
        if pending is None or request.number not in (None, pending.number):
            return Report(text="nothing waits for a confirmation", data=_data(None))
        before, number = pending.before, pending.number
        left_s, unit = pending.left_s, pending.timer
    except StateError as error:
        problems = (Problem("warning", "", 0, 0, "", error.message, "the history says what ran before"),)
        before, number = _before(request.number)
        left_s, unit = 0.0, None
    end_swap(kernel)
    if before.image and left_s <= EARLY_S and ended_by_person(observe(kernel)):
        return _forget_pending(before, number, unit, timer, problems)
    undo_unconfirmed(kernel, before, who, timer)
    clear_pending()
    if left_s > EARLY_S:
        history.set_result(number, Result.REJECTED, "a person wanted it back")
    else:
        history.set_result(number, Result.UNCONFIRMED, "nobody confirmed in time")
    return Report(
        text=f"not confirmed: back to {_what(before)}", data=_data(None), changed=True, problems=problems
    )


def _forget_pending(
    before: Ran, number: int, unit: str | None, timer: Timer, problems: tuple[Problem, ...]
) -> Report:
    """Only the notes go back: a person has ended the scheduler, and only a person attaches."""
    write_notes(notes_for(before))
    clear_pending()
    if unit:
        timer.disarm(unit)
    history.set_result(number, Result.UNCONFIRMED, history.ENDED)
    text = f"not confirmed: {history.ENDED}, and nothing attaches before `schedctl apply`"
    return Report(text=text, data=_data(None), problems=problems)


def undo_unconfirmed(kernel: Kernel, before: Ran, who: Who, timer: Timer) -> None:
    """Quotas do not keep it from coming back: they did not before either."""
    errand = Errand(who, UNCONFIRMED, timer, notes_for(before))
    _bring_back(kernel, replace(before, cpu_max=CpuMax.IGNORE), errand)


def _before(number: int | None) -> tuple[Ran, int]:
    """What the history says ran before what waits, and the number of that; MissingError."""
    entries = history.read_history().entries
    waiting = [entry.number for entry in entries if entry.result is Result.PENDING]
    number = number or max(waiting, default=0)
    for entry in reversed(entries):
        if entry.in_effect and entry.number not in waiting and (not number or entry.number < number):
            return entry.ran, number
    raise MissingError("what ran before is not known", "`schedctl apply NAME`, or `schedctl detach`")


def _report(text: str, outcome: Outcome | None, problems: tuple[Problem, ...]) -> Report:
    if outcome is None:
        return Report(text=text, data=_data(None), changed=True, problems=problems)
    return Report(
        text=text,
        data=_data(outcome),
        changed=outcome.plan.changed,
        problems=(*problems, *outcome.problems),
    )


def _data(outcome: Outcome | None) -> dict[str, object]:
    pending = outcome.pending if outcome else None
    return {
        "plan": outcome.plan.to_document() if outcome else None,
        "generation": outcome.observation.generation if outcome else None,
        "number": outcome.number if outcome else None,
        "pending": pending_document(pending),
    }


def pending_document(pending: Pending | None) -> dict[str, object] | None:
    if pending is None:
        return None
    return {"number": pending.number, "profile": pending.profile, "until_boot_ns": pending.until_ns}
