# SPDX-License-Identifier: GPL-2.0-only
"""The way out: back to the kernel's own scheduler, until a person applies again."""

from __future__ import annotations

from schedctl import paths
from schedctl.ejections import forget_ejections
from schedctl.errors import ConflictError, PrivilegeError, StateError
from schedctl.kernel.protocol import Kernel
from schedctl.lock import locked
from schedctl.observe import Owner, observe
from schedctl.report import Report
from schedctl.request import Request, Who
from schedctl.selected import Selected, write_selected


def detach(kernel: Kernel, request: Request, who: Who, lock_s: float) -> Report:
    """Detach, and note it; the way out does not hang on a disk."""
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
        unnoted: StateError | None = None
        try:  # first the note, so that a daemon does not attach it again
            write_selected(paths.selected_file(), Selected.none())
        except StateError as error:
            unnoted = error
        kernel.detach()
        forget_ejections()
    if unnoted:
        raise StateError(
            f"detached, but that is not noted: {unnoted.message}",
            "a daemon that is started now attaches again; make room, then `schedctl detach` once more",
        )
    attached = observation.owner is Owner.SCHEDCTL
    text = "detached: the kernel's own scheduler runs" if attached else "nothing was attached"
    return Report(text=text, data={"state": kernel.sched_state().state}, changed=attached)
