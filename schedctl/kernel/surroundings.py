# SPDX-License-Identifier: GPL-2.0-only
"""What else bears on an attach: lockdown, real-time throttling, other scheduling managers, pins."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from schedctl.kernel.procfs import PROC, threads

LOCKDOWN = Path("/sys/kernel/security/lockdown")
_MANAGERS = frozenset({b"ananicy", b"ananicy-cpp", b"gamemoded", b"tuned", b"scx_loader"})
_OWN_SCHEDULER = b"scx_"


@dataclass(frozen=True, slots=True)
class Pins:
    """Below /sys/fs/bpf/schedctl; `link` is there while schedctl has attached and nobody detached."""

    names: tuple[str, ...] = ()
    mode: int = 0o700
    owner: int = 0

    @property
    def link(self) -> bool:
        return "link" in self.names


def lockdown(file: Path = LOCKDOWN) -> str | None:
    """none, integrity or confidentiality; None where the kernel has no lockdown or does not tell."""
    try:
        found = re.search(r"\[(\w+)\]", file.read_text())
    except OSError:
        return None
    return found[1] if found else None


def rt_runtime_us(proc: Path = PROC) -> int | None:
    """What real-time threads get of each period, -1 without a limit; None where there is no such setting."""
    try:
        return int((proc / "sys/kernel/sched_rt_runtime_us").read_text())
    except (OSError, ValueError):
        return None


def scheduling_managers(proc: Path = PROC) -> tuple[str, ...]:
    """The names of running programs that attach schedulers, or set priorities, by themselves."""
    found = (live.thread for live in threads(_manages, proc))
    return tuple(sorted({thread.comm.decode(errors="replace") for thread in found if not thread.kthread}))


def _manages(comm: bytes) -> bool:
    return comm in _MANAGERS or comm.startswith(_OWN_SCHEDULER)


def read_pins(folder: Path) -> Pins | None:
    """None where there are none, or where only root could see them."""
    try:
        status = os.stat(folder)
        return Pins(tuple(_names(folder)), stat.S_IMODE(status.st_mode), status.st_uid)
    except OSError:
        return None


def _names(folder: Path) -> Iterable[str]:
    """ "link", "maps/policy", …, sorted."""
    for parent, _, files in sorted(os.walk(folder)):
        yield from (os.path.relpath(os.path.join(parent, name), folder) for name in sorted(files))
