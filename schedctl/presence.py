# SPDX-License-Identifier: GPL-2.0-only
"""Whether the daemon runs: a note of its process, which everybody can read and nobody has to remove.

The note is not a lock: who may read a file may lock it, and then the daemon could not. That there is one
daemon is held by another file, which is root's alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from schedctl import durable, paths
from schedctl.errors import ConflictError, StateError
from schedctl.lock import LockHeldError, locked
from schedctl.ownership import check_ours


@contextmanager
def only_daemon() -> Iterator[None]:
    """This process is the daemon, until it ends; ConflictError where another one is."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(paths.run_dir() / "daemon.lock", 0))
        except LockHeldError as error:
            who = error.message.split(" holds ")[0]
            raise ConflictError(
                f"another schedctld runs: {who}",
                "`systemctl status schedctld`; two would undo each other's work",
            ) from None
        note_daemon()
        yield


def note_daemon() -> None:
    """This process is the daemon, until it ends; StateError."""
    durable.write(paths.daemon_file(), f"{os.getpid()} {_started(os.getpid())}\n".encode())


def daemon_runs() -> bool:
    try:
        check_ours(paths.daemon_file())
        pid, started = paths.daemon_file().read_text().split()
        return _started(int(pid)) == started
    except (OSError, ValueError, StateError):
        return False


def _started(pid: int) -> str:
    """The process's start time: with its PID it is never another's. OSError where there is none."""
    stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return stat[stat.rindex(")") + 2 :].split()[19]
