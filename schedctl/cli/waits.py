# SPDX-License-Identifier: GPL-2.0-only
"""In `status`: what comes back unless it is confirmed, and why nothing is attached after a boot."""

from __future__ import annotations

import math
from typing import Any

from schedctl import paths
from schedctl.clock import boot_id
from schedctl.errors import StateError
from schedctl.pending import read_pending
from schedctl.printable import shown
from schedctl.trying import held_by_mark


def pending_now() -> dict[str, Any] | None:
    """None where nothing waits for a confirmation; without a profile where that cannot be read."""
    try:
        pending = read_pending()
    except StateError:
        return {"number": None, "profile": None, "left_ns": 0}
    if pending is None:
        return None
    left_ns = max(0, int(pending.left_s * 1e9))
    return {"number": pending.number, "profile": shown(pending.profile), "left_ns": left_ns}


def held_now(attached: bool) -> dict[str, Any] | None:
    """The policy after whose attach the machine went down; None where nothing is held back."""
    mark = None if attached else held_by_mark(boot_id())
    return None if mark is None else {"profile": shown(mark.profile) or None, "at": shown(mark.at) or None}


def wait_lines(data: dict[str, Any]) -> list[str]:
    """For people; [] where nothing waits."""
    lines = []
    if pending := data["pending"]:
        left = math.ceil(pending["left_ns"] / 1e9)
        lines.append(f"waits      what ran before comes back in {left} s; `schedctl confirm` keeps what runs")
    if held := data["held"]:
        why = f"the machine went down soon after profile {held['profile']} was attached, at {held['at']}"
        lines.append(f"held       {why if held['profile'] else f'{paths.trying_file()} is damaged'}:")
        lines.append("           nothing attaches before `schedctl apply`")
    return lines
