# SPDX-License-Identifier: GPL-2.0-only
"""Which systemd unit a cgroup belongs to, from its path alone; as systemd's cg_path_get_unit().

A manager's units lie side by side under slices: the *first* component that is no slice is the unit.
What lies below is delegated, and named by whoever runs there: a container may hold a directory
`nginx.service`, and so may anybody's own subtree. So only the first one can be trusted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from schedctl.profile.model import UNIT_SUFFIXES

_SLICE = ".slice"
_USER_MANAGER = re.compile(r"user@[0-9]+\.service")


def unit_of(cgroup: str) -> str:
    """The unit of the system manager: "/system.slice/a.service/x" -> "a.service"; "" without one.

    Names are as systemctl prints them: an escaped `\\x2d` stays, the '_' is removed that systemd puts
    before names which the kernel uses itself.
    """
    return _first_unit(_below_slices(_components(cgroup)))


def user_unit_of(cgroup: str) -> str:
    """The unit of a user manager: "…/user@1000.service/app.slice/b.scope" -> "b.scope"; "" without one."""
    parts = _below_slices(_components(cgroup))
    if not parts or not _USER_MANAGER.fullmatch(parts[0]):
        return ""
    return _first_unit(_below_slices(parts[1:]))


def _components(cgroup: str) -> list[str]:
    return [part.removeprefix("_") for part in cgroup.split("/") if part]


def _below_slices(parts: Sequence[str]) -> Sequence[str]:
    for i, part in enumerate(parts):
        if not part.endswith(_SLICE) or part == _SLICE:
            return parts[i:]
    return ()


def _first_unit(parts: Sequence[str]) -> str:
    if not parts or not parts[0].endswith(UNIT_SUFFIXES) or parts[0].startswith("."):
        return ""
    return parts[0]
