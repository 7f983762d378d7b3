# SPDX-License-Identifier: GPL-2.0-only
"""A function in a process of its own, for what only a process can show: limits, locks, kill -9."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schedctl.errors import SchedctlError

UNEXPECTED = 99


def _fork(function: Callable[[], object]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = UNEXPECTED
    sys.stdout = sys.stderr = io.StringIO()  # the captured ones are files, and of the parent
    try:
        function()
        status = 0
    except SchedctlError as error:
        status = error.exit_code
    finally:
        os._exit(status)


def run(function: Callable[[], object]) -> int:
    """The exit code, also of our errors; -N where signal N ended the process."""
    _, status = os.waitpid(_fork(function), 0)
    return os.waitstatus_to_exitcode(status)


@contextmanager
def running(function: Callable[[Callable[[], object]], object]) -> Iterator[Callable[[], None]]:
    """Begins when the function has called what it is given; yields kill -9, which also waits."""
    reader, writer = os.pipe()
    pid = _fork(lambda: function(lambda: os.write(writer, b".")))
    os.close(writer)

    def kill() -> None:
        nonlocal pid
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            pid = 0

    try:
        assert os.read(reader, 1) == b".", "it ended before it began"
        yield kill
    finally:
        kill()
        os.close(reader)
