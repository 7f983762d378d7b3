# SPDX-License-Identifier: GPL-2.0-only
"""What can happen at a step, and how it is made to happen."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.faults.ptrace import Call, Order, Verdict, Watch
from tests.faults.steps import Step


class Kind(StrEnum):
    KILL_BEFORE = "kill before"
    KILL_BEHIND = "kill behind"
    KILL_WITHIN = "kill within"
    """Of a swap: the old scheduler is detached, the new one not yet attached."""
    ERROR = "error"
    """The call fails, once."""
    FROM_HERE = "from here"
    """A disk that is full, or read-only, from this call on."""
    CUT = "power cut"
    """What was not synced is not there."""
    CUT_EMPTY = "power cut, files empty"
    """The names are there, what was not synced in the files is not."""
    TORN = "torn"
    """The kernel keeps something else than was written."""


@dataclass(frozen=True, slots=True)
class Fault:
    """At step `at` of the list."""

    kind: Kind
    at: int
    code: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {errno.errorcode[self.code]}" if self.code else str(self.kind)


_BPF = (errno.EPERM, errno.ENOMEM, errno.EBUSY)
# What needs room; a file's new name in the same folder needs none.
_FULL = ("create", "write", "mkdir", "link", "symlink")
# What a power cut leaves.
_KEPT = ("/var/lib/", "/etc/")
_ERRORS = {
    "create": (errno.ENOSPC, errno.EROFS, errno.EIO),
    "truncate": (errno.EROFS, errno.EIO),
    "write": (errno.ENOSPC, errno.EIO),
    "fsync": (errno.EIO, errno.ENOSPC),
    "rename": (errno.ENOSPC, errno.EROFS, errno.EIO),
    "unlink": (errno.EROFS, errno.EIO),
    "mkdir": (errno.ENOSPC, errno.EROFS),
    "rmdir": (errno.EROFS,),
    "fchmod": (errno.EROFS,),
}


def errors(step: Step) -> tuple[int, ...]:
    """What the call may fail with."""
    if step.is_bpf or step.call == "kernel":
        return _BPF
    if step.target.startswith("/proc/"):
        return (errno.EPERM,)
    return _ERRORS.get(step.call, (errno.EIO,))


def of_step(at: int, step: Step) -> Iterator[Fault]:
    """All that fit. Between two steps nothing changes: behind one is where the next one has not begun."""
    yield Fault(Kind.KILL_BEFORE, at)
    kept = step.target.startswith(_KEPT)
    if step.call == "kernel":
        yield Fault(Kind.KILL_BEHIND, at)
    if step.call == "kernel" or kept:
        yield Fault(Kind.CUT, at)
        yield Fault(Kind.CUT_EMPTY, at)
    if str(step) == "kernel swap":
        yield Fault(Kind.KILL_WITHIN, at)
    if str(step) == "kernel write_policy":
        yield Fault(Kind.TORN, at)
    for code in errors(step):
        yield Fault(Kind.ERROR, at, code)
    if step.call in _FULL:
        yield Fault(Kind.FROM_HERE, at, errno.ENOSPC)
    if step.target.startswith("/var/lib/"):
        yield Fault(Kind.FROM_HERE, at, errno.EROFS)


class Injector:
    """One run: its steps, and the fault where one is asked for."""

    def __init__(
        self,
        step_of: Callable[[Call], Step | None],
        fault: Fault | None = None,
        done: Callable[[Call, Step, Fault | None], None] | None = None,
    ) -> None:
        """`done` sees each call that was made, with the fault where it is its turn."""
        self.steps: list[Step] = []
        self._step_of, self._fault, self._done = step_of, fault, done
        self._inside: dict[int, tuple[int, Step]] = {}
        self.struck = False

    def watch(self) -> Watch:
        return Watch(self._before, self._behind)

    def _before(self, call: Call) -> Verdict:
        step = self._step_of(call)
        if step is None:
            return Order.GO_ON
        number = len(self.steps)
        self.steps.append(step)
        fault = self._fault
        if fault is not None and self._meets(fault, number, step):
            self.struck = True
            if fault.kind in (Kind.KILL_BEFORE, Kind.CUT, Kind.CUT_EMPTY):
                return Order.KILL
            if fault.code and step.call != "kernel":
                return fault.code
        self._inside[call.pid] = (number, step)
        return Order.GO_ON

    def _meets(self, fault: Fault, number: int, step: Step) -> bool:
        if fault.kind is not Kind.FROM_HERE:
            return number == fault.at
        if number < fault.at or not step.paths:
            return False
        if fault.code == errno.ENOSPC:
            return step.call in _FULL and not step.target.startswith(("/proc/", "/sys/"))
        return step.target.startswith("/var/lib/")

    def _behind(self, call: Call) -> Order:
        if call.pid not in self._inside:
            return Order.GO_ON
        number, step = self._inside.pop(call.pid)
        fault = self._fault if self._fault is not None and self._fault.at == number else None
        if self._done is not None:
            self._done(call, step, fault)
        killed = fault is not None and fault.kind in (Kind.KILL_BEHIND, Kind.KILL_WITHIN)
        return Order.KILL if killed else Order.GO_ON
