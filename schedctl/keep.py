# SPDX-License-Identifier: GPL-2.0-only
"""schedctl confirm, and the time after which a policy that runs counts as good without it."""

from __future__ import annotations

from contextlib import suppress

from schedctl import clock, history, paths, trying
from schedctl.errors import ConflictError, Problem, StateError
from schedctl.history import Result
from schedctl.image.model import PolicyImage
from schedctl.kernel.protocol import Kernel
from schedctl.last_good import keep_as_good
from schedctl.lock import locked
from schedctl.notes import Notes, PreparedNotes
from schedctl.observe import observe
from schedctl.pending import Pending, clear_pending, read_pending
from schedctl.quantity import NS_PER_S
from schedctl.reconcile import ran_before
from schedctl.report import Report
from schedctl.request import Request, Who
from schedctl.selected import Selected
from schedctl.timer import Timer


def confirm(kernel: Kernel, request: Request, who: Who, lock_s: float, timer: Timer) -> Report:
    """What runs stays: nothing comes back, and what was to outlive a reboot does. ConflictError: too late."""
    kernel.check()
    with locked(paths.lock_file(), lock_s):
        try:
            pending = read_pending()
        except StateError:  # damaged: that it stays is what was asked for
            clear_pending()
            pending = None
        else:
            _refuse(pending, request.number)
            if pending:
                _refuse_unfounded(pending, observe(kernel).image)
        problems = _confirmed(pending, timer) if pending else ()
        problems = (*problems, *settle(kernel))
    number = pending.number if pending else None
    said = f"confirmed: profile {pending.profile} stays" if pending else "confirmed: what runs stays"
    return Report(text=said, data={"number": number}, changed=False, problems=problems)


def _refuse(pending: Pending | None, number: int | None) -> None:
    if pending is None and number is None and _marked_here():
        return
    if pending is None or number not in (None, pending.number):
        raise ConflictError(
            "nothing waits for a confirmation" if pending is None else f"number {number} no longer waits",
            "`schedctl history` says what became of it",
        )


def _refuse_unfounded(pending: Pending, live: PolicyImage | None) -> None:
    """Whoever applied it was killed before it ran, or the kernel has ended it."""
    if live is None or not pending.is_about(live):
        runs = f"profile {live.profile} runs" if live else "nothing of schedctl runs"
        if live and live.profile == pending.profile:
            runs = "another policy of that name runs"
        raise ConflictError(
            f"what waits for a confirmation is profile {pending.profile}, and {runs}",
            "`schedctl apply` says anew what is to run",
        )


def _marked_here() -> bool:
    """Whether an attach of this boot has not settled yet: that, too, can be confirmed."""
    with suppress(StateError):
        mark = trying.mark()
        return mark is not None and mark.boot_id == clock.boot_id()
    return False


def _confirmed(pending: Pending, timer: Timer) -> tuple[Problem, ...]:
    """The decision first: from then on nothing comes back."""
    notes = None if pending.standing is None else PreparedNotes(Notes(Selected(), standing=pending.standing))
    try:
        clear_pending()
        if pending.timer:
            timer.disarm(pending.timer)
        if notes is not None:
            notes.commit()
    finally:
        if notes is not None:
            notes.close()
    history.set_result(pending.number, Result.CONFIRMED)
    return ()


def settle(kernel: Kernel) -> tuple[Problem, ...]:
    """What runs is good: the next boot attaches again. Warnings where that cannot be written."""
    observation = observe(kernel)
    if observation.image is None:
        return ()
    try:
        keep_as_good(ran_before(observation.image))
        trying.clear_mark()
    except StateError as error:
        return (Problem("warning", "", 0, 0, "", error.message, error.hint),)
    return ()


def settle_in_time(kernel: Kernel, lock_s: float) -> bool:
    """By a timer: whether the mark is old enough, and nothing waits for a person."""
    with locked(paths.lock_file(), lock_s):
        with suppress(StateError):
            mark = trying.mark()
            if mark is None or mark.boot_id != clock.boot_id() or read_pending() is not None:
                return False
            if clock.boot_ns() - mark.boot_ns < trying.SETTLE_S * NS_PER_S:
                return False
        return not settle(kernel)
