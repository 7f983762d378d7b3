# SPDX-License-Identifier: GPL-2.0-only
"""A thread in the output of `explain` and `match`."""

from __future__ import annotations

from typing import Any

from schedctl.printable import shown
from schedctl.resolve.match import Thread

NOT_SEEN = "their executables cannot be read; root sees those of all users"


def thread_document(thread: Thread) -> dict[str, Any]:
    return {
        "comm": shown(thread.comm),
        "exe": shown(thread.exe) or None,
        "exe_owner_uid": thread.exe_owner_uid,
        "cgroup": shown(thread.cgroup),
        "unit": shown(thread.unit) or None,
        "user_unit": shown(thread.user_unit) or None,
        "uid": thread.uid,
        "gid": thread.gid,
        "kthread": thread.kthread,
        "leader": thread.leader,
        "nice": thread.nice,
        "policy": thread.policy.value,
    }
