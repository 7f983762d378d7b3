# SPDX-License-Identifier: GPL-2.0-only
"""What may grow: the daemon's memory and descriptors, the kernel's objects, pins, files. In the guest."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.faults.objects import objects

BPFFS = Path("/sys/fs/bpf")
FOLDERS = (Path("/run/schedctl"), Path("/var/lib/schedctl"))
CGROUP = Path("/sys/fs/cgroup/system.slice/schedctld.service")
PAUSE_S = 0.5
LOOKS = 20


def daemon_pid() -> int:
    show = ["systemctl", "show", "-P", "MainPID", "schedctld"]
    return int(subprocess.run(show, capture_output=True, check=True, text=True).stdout)


def cpu_ns(pid: int) -> int:
    """Of all threads of a process that live."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _rss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1])


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        yield from (Path(parent, name) for name in (*folders, *names))


def _pins() -> int:
    return sum(1 for _ in _below(BPFFS))


def _descriptors(pid: int | str) -> Counter[str]:
    """What they are open on; which of a kind does not matter."""
    found: Counter[str] = Counter()
    folder = f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):  # it has just been closed
            found[os.readlink(f"{folder}/{name}").partition("[")[0]] += 1
    return found


def _counts(pid: int) -> Counter[str]:
    """What is to be the same after each reconcile, by name."""
    found = objects()
    for name, number in _descriptors(pid).items():
        found[f"descriptor {name}"] = number
    found["pins"] = _pins()
    found["threads"] = len(os.listdir(f"/proc/{pid}/task"))
    found["files"] = sum(1 for folder in FOLDERS for _ in _below(folder))
    return found


def _at_rest(look: Callable[[], Counter[str]]) -> Counter[str]:
    """Once nothing changes any more: the kernel frees some of it a little later."""
    found = look()
    for _ in range(LOOKS):
        time.sleep(PAUSE_S)
        if (again := look()) == found:
            break
        found = again
    return found


def settled(pid: int) -> dict[str, Any]:
    """What the daemon holds once it has come to rest."""
    counts = _at_rest(lambda: _counts(pid))
    memory_kib = int((CGROUP / "memory.current").read_text()) // 1024
    return {"counts": counts, "rss_kib": _rss_kib(pid), "memory_kib": memory_kib}


def left() -> dict[str, Any]:
    """What there is in the kernel, and what this process holds."""
    return {"objects": _at_rest(objects), "pins": _pins(), "descriptors": _descriptors("self")}
