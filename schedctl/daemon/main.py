# SPDX-License-Identifier: GPL-2.0-only
"""schedctld's start: what it needs, its watcher, its loop."""

from __future__ import annotations

import argparse
import gc
from contextlib import suppress

from schedctl import __version__
from schedctl.daemon import notify
from schedctl.daemon.loop import Daemon
from schedctl.daemon.triggers import (
    SeatWatcher,
    TriggerQueue,
    UeventWatcher,
    Watcher,
    install_signal_handlers,
)
from schedctl.errors import EXIT_OK, ConflictError, SchedctlError
from schedctl.kernel.protocol import Kernel
from schedctl.kernel.real import RealKernel
from schedctl.log import Priority, log
from schedctl.presence import only_daemon


def main() -> int:
    """Runs until SIGTERM; returns an exit code of the table in errors.py."""
    parser = argparse.ArgumentParser(
        prog="schedctld", description="Keeps the kernel at the selected profile."
    )
    parser.add_argument("--version", action="version", version=f"schedctld {__version__}")
    parser.parse_args()
    kernel = RealKernel()
    try:
        with suppress(ConflictError):  # another scheduler may leave; the loop says who it is
            kernel.check()
        with only_daemon():
            _run(kernel)
    except SchedctlError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        notify.status(error.message)
        log(f"{error.message}{hint}", "failed", Priority.ERROR, exit_code=error.exit_code)
        return error.exit_code
    return EXIT_OK


def _run(kernel: Kernel) -> None:
    queue = TriggerQueue()
    install_signal_handlers(queue)
    watcher = Watcher(queue)
    SeatWatcher(queue)
    UeventWatcher(queue)
    try:
        Daemon(kernel, queue, watcher).run(notify.watchdog_s())
    finally:
        watcher.stop()


def entry() -> int:
    # an edit does not wait until everything here was looked at for garbage: the loop asks for that afterwards
    gc.freeze()
    gc.disable()
    return main()
