# SPDX-License-Identifier: GPL-2.0-only
"""The daemon's clock for what waits: for a confirmation, or to prove that the machine survives it.

What waits for a confirmation lies in a file, so a daemon that is started anew goes on counting.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from schedctl import clock, paths, trying
from schedctl.errors import HostError, SchedctlError, StateError
from schedctl.history import BOOT_ENDED, Result, read_newest, set_result
from schedctl.image.model import PolicyImage
from schedctl.keep import settle
from schedctl.kernel.protocol import Kernel
from schedctl.lock import LockHeldError, locked
from schedctl.log import Priority, log
from schedctl.observe import Observation
from schedctl.pending import Pending, drop_unfounded, read_pending, write_pending
from schedctl.quantity import NS_PER_S
from schedctl.request import Request, Verb, Who, carry_out
from schedctl.timer import SystemdTimer, Timer

WHO = Who(0, None, "schedctld")
# After a kernel or a disk that refused.
RETRY_S = 10.0
_ASK_S = 5.0

Identity = tuple[int, int | None]


class Confirmation:
    """`look` after each reconcile; at `due_at` call `due`, without the lock; `stop` at the end."""

    def __init__(
        self, kernel: Kernel, clock_s: Callable[[], float], lock_s: float, timer: Timer | None = None
    ) -> None:
        self._kernel, self._clock, self._lock_s = kernel, clock_s, lock_s
        self._timer = timer or SystemdTimer()
        self._version: tuple[int, int] | None = None
        self._pending: Pending | None = None
        self._damaged = False
        self._runs: Identity | None = None
        self._settle_at: float | None = None
        self._not_before = 0.0

    def begin(self) -> None:
        """What waited when the machine went down waits no longer: nothing of ours has been attached since."""
        with suppress(StateError, LockHeldError), locked(paths.lock_file(), self._lock_s):
            self._read()
            if self._pending is not None or self._damaged or self._kernel.sched_state().ours:
                return
            newest = read_newest()
            if newest is not None and newest.result is Result.PENDING:
                set_result(newest.number, Result.UNCONFIRMED, BOOT_ENDED)

    def look(self, observation: Observation) -> None:
        """Another policy than before has to prove itself anew; the lock is held."""
        live = observation.live
        if observation.image is not None:
            self._drop_unfounded(observation.image)
        runs = None if live is None else (observation.enable_seq, live.generation)
        if runs != self._runs:
            self._settle_at = None if runs is None else self._clock() + trying.SETTLE_S
        self._runs = runs

    def _drop_unfounded(self, runs: PolicyImage) -> None:
        """An apply with a time limit was killed: what it was about does not run."""
        with suppress(StateError):
            dropped = drop_unfounded(runs)
            if dropped is not None and dropped.timer:
                self._timer.disarm(dropped.timer)

    def due_at(self) -> float | None:
        """On the daemon's clock."""
        self._read()
        if self._damaged:
            return self._not_before
        if self._pending is not None:
            return max(self._clock() + self._pending.left_s, self._not_before)
        return self._settle_at

    def due(self) -> bool:
        """Do what is due; whether what runs may have changed. Raises classes of errors.py."""
        at = self.due_at()
        if at is None or at > self._clock():
            return False
        if self._pending is None and not self._damaged:
            self._settle_at = None
            self._settle()
            return False
        self._not_before = self._clock() + RETRY_S
        number = None if self._pending is None else self._pending.number
        request = Request(Verb.ROLLBACK, number=number, unconfirmed=True)
        report = carry_out(self._kernel, request, WHO, self._lock_s, self._timer)
        log(f"nobody has confirmed: {report.text}", "unconfirmed", Priority.WARNING, number=number)
        return report.changed

    def _settle(self) -> None:
        with locked(paths.lock_file(), self._lock_s):
            for problem in settle(self._kernel):
                log(f"that the policy is good is not noted: {problem.message}", "warning", Priority.WARNING)

    def _read(self) -> None:
        """Only what has changed is read: a policy may be large."""
        try:
            found = paths.pending_file().stat()
            version = (found.st_ino, found.st_mtime_ns)
        except OSError:
            version = None
        if version == self._version:
            return
        self._version, self._pending, self._damaged = version, None, False
        try:
            self._pending = read_pending()
        except StateError as error:
            # when it would be due is not known: what ran before comes back now
            log(error.message, "warning", Priority.WARNING)
            self._damaged = True

    # --- the end of the daemon --------------------------------------------------------------------

    def stop(self) -> None:
        """Somebody else counts on; a machine that is shut down in order has survived the policy.

        What waits for a confirmation ends with the boot, and the next one attaches what was noted before.
        """
        self._read()
        pending, unsettled_s = self._pending, _unsettled_s()
        if pending is None and unsettled_s is None:
            return
        try:
            if _shuts_down():
                if unsettled_s is not None:
                    trying.clear_mark()
                if pending is not None:
                    set_result(pending.number, Result.UNCONFIRMED, BOOT_ENDED)
            elif pending is not None:
                words = ["rollback", "--unconfirmed", str(pending.number)]
                unit = self._timer.arm("unconfirmed", max(0.1, pending.left_s), words)
                write_pending(replace(pending, timer=unit))
            elif unsettled_s is not None:
                self._timer.arm("settled", unsettled_s, ["confirm", "--settled"])
        except HostError as error:
            log(f"what waits is counted by nobody: {error.message}", "warning", Priority.WARNING)
        except SchedctlError as error:
            log(error.message, "warning", Priority.WARNING)


def _unsettled_s() -> float | None:
    """How long an attach of this boot still has to prove itself."""
    with suppress(StateError):
        mark = trying.mark()
        if mark is not None and mark.boot_id == clock.boot_id():
            return max(0.1, trying.SETTLE_S - (clock.boot_ns() - mark.boot_ns) / NS_PER_S)
    return None


def _shuts_down() -> bool:
    with suppress(OSError, subprocess.TimeoutExpired):
        command = ["systemctl", "is-system-running"]
        done = subprocess.run(command, capture_output=True, timeout=_ASK_S, check=False)
        return done.stdout.strip() == b"stopping"
    return False
