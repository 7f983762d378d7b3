# SPDX-License-Identifier: GPL-2.0-only
"""What an apply writes to disk at its steps: what ran before, when it comes back, whose it was.

`Books` keeps none: for a kernel alone. docs/decisions.md has the steps and what each leaves behind.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from schedctl import clock, durable, history, paths, trying
from schedctl.checkpoint import clear_checkpoint, sweep, write_checkpoint
from schedctl.ejections import Ejection, hold_after
from schedctl.errors import HostError, Problem, SchedctlError, StateError
from schedctl.history import Result, new_entry
from schedctl.notes import Notes, PreparedNotes
from schedctl.ownership import check_ours
from schedctl.pending import Pending, clear_pending, waiting, write_pending
from schedctl.presence import daemon_runs
from schedctl.quantity import NS_PER_S, format_duration
from schedctl.ran import Ran
from schedctl.request import Who
from schedctl.selected import Selected
from schedctl.timer import Timer

FOLLOW = "follow"
UNCONFIRMED = "unconfirmed"
_SOON_S = 0.1


@dataclass(frozen=True, slots=True)
class Errand:
    """Who changes what runs, and what is noted with it.

    `notes` are None where a daemon follows what was noted before. `timer` is None where the daemon
    counts the time; where none runs, systemd does.
    """

    who: Who
    verb: str
    timer: Timer | None
    notes: Notes | None = None
    within_ns: int | None = None

    @property
    def by_person(self) -> bool:
        return self.verb != FOLLOW

    @property
    def decides(self) -> bool:
        """Whether a person wants it without a time limit: nothing comes back."""
        return self.by_person and self.verb != UNCONFIRMED and self.within_ns is None

    def notes_until_confirmed(self) -> Notes | None:
        """What has to survive a reboot waits for the confirmation."""
        notes = self.notes
        if notes is None or notes.standing is None or self.within_ns is None:
            return notes
        return Notes(Selected.profile(notes.standing))

    def counting(self) -> Timer | None:
        return None if self.timer is None or daemon_runs() else self.timer

    def disarm(self, unit: str | None) -> None:
        if unit and self.timer is not None:
            self.timer.disarm(unit)


class Books:
    """Steps of an apply; each raises StateError or HostError. `problems` are warnings."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.number: int | None = None
        self.pending_now: Pending | None = None

    def checkpoint(self) -> None: ...
    def pending(self) -> None: ...
    def trying(self) -> None: ...
    def note(self) -> None: ...
    def history(self) -> None: ...
    def commit(self) -> None: ...
    def keep(self) -> None: ...

    def undo(self, reason: str, swapped: bool = False) -> None:
        """What ran before runs again: so do the notes. Whatever fails stays as it is.

        `swapped`: the new scheduler runs nevertheless, and is on trial.
        """

    def close(self) -> None:
        """Remove what was only prepared."""


class KeptBooks(Books):
    """On this machine's disks; the caller holds the lock."""

    def __init__(
        self, errand: Errand, before: Ran, after: Ran, attaches: bool, ended: Ejection | None = None
    ) -> None:
        """`ended` is what the kernel has ended, of which a release takes away the traces."""
        super().__init__()
        self._errand, self._before, self._after = errand, before, after
        self._attaches, self._ended = attaches, ended
        self._notes: PreparedNotes | None = None
        self._old_pending: Pending | None = None
        self._timer: str | None = None
        self._old_mark: bytes | None = None
        self._marked = False

    # --- the steps, in their order ---------------------------------------------------------------

    def checkpoint(self) -> None:
        sweep()
        write_checkpoint(self._before)
        try:
            self.number = history.next_number()
        except StateError as error:
            self._warn(error)
            self.number = clock.boot_ns() // 1_000_000  # nobody has had it since the boot
        self._old_pending = waiting()
        if (notes := self._errand.notes_until_confirmed()) is not None:
            self._notes = PreparedNotes(notes)

    def pending(self) -> None:
        errand = self._errand
        if errand.within_ns is None:
            self._follow_pending()
            return
        assert self.number is not None
        if timer := errand.counting():
            words = ["rollback", "--unconfirmed", str(self.number)]
            self._timer = timer.arm("unconfirmed", errand.within_ns / NS_PER_S, words)
        # what comes back is what somebody last stood by
        before = self._old_pending.before if self._old_pending else self._before
        self.pending_now = Pending(
            self.number,
            clock.boot_ns() + errand.within_ns,
            before,
            self._after.profile or "",
            errand.notes.standing if errand.notes else None,
            self._timer,
            self._after.hash,
        )
        write_pending(self.pending_now)

    def _follow_pending(self) -> None:
        """An edit of what waits waits in its place; not what was noted before, after an apply was killed."""
        old, runs, after = self._old_pending, self._before.image, self._after
        if old is None or self._errand.by_person or after.profile != old.profile:
            return
        if (runs is None or old.is_about(runs)) and after.hash != old.before.hash:
            self.pending_now = replace(old, policy=after.hash)
            write_pending(self.pending_now)

    def trying(self) -> None:
        if not self._attaches:
            return
        if self._ended is not None:
            hold_after(self._ended)
        with suppress(OSError):
            check_ours(paths.trying_file())  # what is put back becomes root's
            self._old_mark = paths.trying_file().read_bytes()
        self._marked = True
        trying.set_mark(self._after.hash or "", self._after.profile or "")

    def note(self) -> None:
        if self._notes is not None:
            self._notes.commit()

    def history(self) -> None:
        result = Result.APPLIED if self._errand.within_ns is None else Result.PENDING
        self._enter(result)

    def commit(self) -> None:
        try:
            clear_checkpoint()
            if self._errand.by_person:
                supersede(self._errand, self._old_pending)
                if not self._attaches and trying.held_by_mark(clock.boot_id()):
                    trying.clear_mark()
        except StateError as error:
            self._warn(error)

    def keep(self) -> None:
        """With `pending` that is up to a person; the daemon counts by itself."""
        timer = self._errand.counting()
        if not self._attaches or self.pending_now is not None or timer is None:
            return
        try:
            timer.arm("settled", trying.SETTLE_S + _SOON_S, ["confirm", "--settled"])
        except HostError as error:
            settle = format_duration(int(trying.SETTLE_S * NS_PER_S))
            message = f"that the machine survives this policy is not noted after {settle}: {error.message}"
            hint = "`schedctl confirm` notes it; before that, the daemon attaches nothing after a reboot"
            self.problems.append(Problem("note", "", 0, 0, "", message, hint))

    # --- what was begun and did not end -----------------------------------------------------------

    def undo(self, reason: str, swapped: bool = False) -> None:
        if self._notes is not None:
            self._notes.undo()
        self._errand.disarm(self._timer)
        with suppress(StateError):
            if self.pending_now is not None:
                write_pending(self._old_pending) if self._old_pending else clear_pending()
                self.pending_now = None
        with suppress(StateError):
            if self._marked and not swapped:
                _put_back(paths.trying_file(), self._old_mark)
        with suppress(StateError):
            clear_checkpoint()
        self._enter(Result.FAILED, reason)
        if swapped:
            self.keep()

    def close(self) -> None:
        if self._notes is not None:
            self._notes.close()

    def _enter(self, result: Result, reason: str = "") -> None:
        """The change counts without its entry."""
        if self.number is None:
            return
        errand = self._errand
        try:
            history.note_entry(new_entry(self.number, errand.verb, errand.who, self._after, result, reason))
        except StateError as error:
            self._warn(error)

    def _warn(self, error: SchedctlError) -> None:
        self.problems.append(Problem("warning", "", 0, 0, "", error.message, error.hint))


def supersede(errand: Errand, old: Pending | None) -> None:
    """A person has decided anew: what waited for a confirmation no longer does. StateError."""
    if old is not None:
        history.set_result(old.number, Result.APPLIED)
        errand.disarm(old.timer)
    if errand.within_ns is None:
        clear_pending()


def _put_back(path: Path, data: bytes | None) -> None:
    if data is None:
        durable.remove(path)
    else:
        durable.write(path, data)
