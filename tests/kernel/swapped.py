# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest. `load`: threads of all kinds, without end. `kill`: a swap killed at each of its steps.

The latter prints one line per kill: the step that was to be next, and what ran once the next start went on.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# as intf.h and pins.py have them; this file also runs where only schedctl is installed
INSTALLED = Path("/usr/lib/schedctl/bpf/main.bpf.o")
STEPS = ("pin maps", "detach", "attach", "pin link", "exchange", "remove")


def name(text: str) -> None:
    Path("/proc/self/comm").write_text(text)


def load() -> None:
    """One thread of each class, a hog, and forks: what asks for the figures needs its part of two CPUs."""
    for comm in ("sleeper", "budget", "hog"):
        if os.fork() == 0:
            # what a real-time thread forks has none
            Path("/proc/self/timerslack_ns").write_text("50000")
            name(comm)
            while True:
                if comm == "sleeper":
                    time.sleep(0.1)
    name("forker")
    while True:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        time.sleep(0.1)


class Killer:
    """Ends this process when step `last` begins for the first time."""

    def __init__(self, last: str) -> None:
        self._last = last

    def wrap(self, owner: Any, function: str, step: str) -> None:
        real: Callable[..., object] = getattr(owner, function)

        def call(*arguments: object) -> object:
            if step == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments)

        setattr(owner, function, call)


def swap_killed_at(step: str) -> None:
    from schedctl.kernel import libbpf, swap
    from schedctl.kernel.pins import Pins
    from schedctl.kernel.real import RealKernel

    child = os.fork()
    if child == 0:
        killer = Killer(step)
        killer.wrap(libbpf.Map, "pin", "pin maps")
        killer.wrap(swap, "detach_link", "detach")
        killer.wrap(libbpf.Object, "attach_struct_ops", "attach")
        killer.wrap(libbpf.Link, "pin", "pin link")
        killer.wrap(Pins, "exchange", "exchange")

        killer.wrap(swap, "remove_replaced", "remove")
        RealKernel().swap(b"")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, step


def settled() -> None:
    """The kernel has closed what the killed process held."""
    from schedctl.kernel import sysfs

    for _ in range(200):
        if sysfs.read_state().state in ("enabled", "disabled"):
            return
        time.sleep(0.1)


def kill() -> None:
    from schedctl.kernel.real import RealKernel

    kernel = RealKernel()
    for step in STEPS:
        old, new = kernel.running_object_id(), kernel.object_id()
        assert old != new
        before = kernel.read_policy(kernel.active_slot())
        swap_killed_at(step)
        settled()
        done = kernel.converge()
        assert kernel.sched_state().ours, step
        found = kernel.running_object_id()
        assert found in (old, new)
        assert kernel.read_policy(kernel.active_slot()) == before
        record = kernel.read_exit_record()
        assert record is not None
        assert record.kind == 0
        assert kernel.converge() is None
        left = sorted(os.listdir("/sys/fs/bpf"))
        print(f"{step}: {'old' if found == old else 'new'}: {left}: {done}", flush=True)
        if found == new:  # the next step begins with another one installed, as the first did
            INSTALLED.with_suffix(".swapped").write_bytes(INSTALLED.read_bytes())
            os.replace(INSTALLED.with_suffix(".other"), INSTALLED)
            os.replace(INSTALLED.with_suffix(".swapped"), INSTALLED.with_suffix(".other"))


if __name__ == "__main__":
    {"load": load, "kill": kill}[sys.argv[1]]()
