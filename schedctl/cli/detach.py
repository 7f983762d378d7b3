# SPDX-License-Identifier: GPL-2.0-only
"""schedctl detach: the way out. Nothing is attached again until the next apply or a reboot."""

from __future__ import annotations

import argparse

from schedctl import paths
from schedctl.cli.report import Report
from schedctl.errors import ConflictError, PrivilegeError, StateError
from schedctl.lock import locked
from schedctl.observe import Owner, observe
from schedctl.selected import Selected, write_selected


def run(args: argparse.Namespace) -> Report:
    from schedctl.kernel.real import RealKernel

    kernel = RealKernel()
    state = kernel.sched_state()
    if not kernel.privileged():
        raise PrivilegeError("detach needs root", "run it as root, for example with sudo")
    with locked(paths.lock_file()):
        observation = observe(kernel)
        if observation.owner is Owner.OTHER:
            raise ConflictError(
                f"the scheduler that is attached is not schedctl's: {state.ops}",
                "stop it with its own tool; `echo S > /proc/sysrq-trigger` ends any sched_ext scheduler",
            )
        unnoted: StateError | None = None
        try:  # first the note, so that a daemon does not attach it again
            write_selected(paths.selected_file(), Selected.none())
        except StateError as error:  # the way out does not hang on a disk
            unnoted = error
        kernel.detach()
    if unnoted:
        raise StateError(
            f"detached, but that is not noted: {unnoted.message}",
            "a daemon that is started now attaches again; make room, then `schedctl detach` once more",
        )
    attached = observation.owner is Owner.SCHEDCTL
    text = "detached: the kernel's own scheduler runs" if attached else "nothing was attached"
    return Report(text=text, data={"state": kernel.sched_state().state}, changed=attached)
