# SPDX-License-Identifier: GPL-2.0-only
"""CPU quotas of cgroups, which the kernel does not enforce for sched_ext threads; readable without root."""

from __future__ import annotations

import os
from pathlib import Path

from schedctl.kernel.protocol import Quota
from schedctl.resolve.units import unit_of, user_unit_of

CGROUPS = Path("/sys/fs/cgroup")
CPU_MAX = "cpu.max"
_UNLIMITED = "max"


def read_quotas(root: Path = CGROUPS) -> tuple[Quota, ...]:
    """Every finite cpu.max below the root, by path. A cgroup that goes while it is read has none."""
    found = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        if CPU_MAX in files and (limit := _limit(Path(folder) / CPU_MAX)) is not None:
            path = "/" + os.path.relpath(folder, root)
            unit = user_unit_of(path) or unit_of(path) or _slice_of(path)
            found.append(Quota(path, *limit, unit))
    return tuple(found)


def _limit(file: Path) -> tuple[int, int] | None:
    """(quota, period) in us; None without a limit."""
    try:
        quota, period = file.read_text().split()
        return None if quota == _UNLIMITED else (int(quota), int(period))
    except (OSError, ValueError):
        return None


def _slice_of(path: str) -> str:
    """A limit of a slice itself: its last component is the unit."""
    name = path.rsplit("/", 1)[-1]
    return name if name.endswith(".slice") else ""
