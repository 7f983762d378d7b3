# SPDX-License-Identifier: GPL-2.0-only
"""schedctl detach: back to the kernel's own scheduler, until a person applies again."""

from __future__ import annotations

from schedctl import paths
from schedctl.errors import ConflictError, PrivilegeError, StateError
from schedctl.kernel.protocol import Kernel
from schedctl.lock import locked
from schedctl.notes import Notes
from schedctl.observe import Owner, observe
from schedctl.report import Report
from schedctl.request import Request, Who
from schedctl.restore import leave
from schedctl.selected import Selected
from schedctl.timer import Timer


def detach(kernel: Kernel, request: Request, who: Who, lock_s: float, timer: Timer) -> Report:
    """Detach, note it, and forget what waited for a confirmation; the way out does not hang on a disk."""
    state = kernel.sched_state()
    if not kernel.privileged():
        raise PrivilegeError("detach needs root", "run it as root, for example with sudo")
    with locked(paths.lock_file(), lock_s):
        observation = observe(kernel)
        if observation.owner is Owner.OTHER:
            raise ConflictError(
                f"the scheduler that is attached is not schedctl's: {state.ops}",
                "stop it with its own tool; `echo S > /proc/sysrq-trigger` ends any sched_ext scheduler",
            )
        unnoted = leave(kernel, Notes(Selected.none()), who, "detach", timer)
    if unnoted:
        raise StateError(
            f"detached, but that is not noted: {unnoted.message}",
            "a daemon that is started now attaches again; make room, then `schedctl detach` once more",
        )
    attached = observation.owner is Owner.SCHEDCTL
    text = "detached: the kernel's own scheduler runs" if attached else "nothing was attached"
    return Report(text=text, data={"state": kernel.sched_state().state}, changed=attached)
