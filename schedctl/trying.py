# SPDX-License-Identifier: GPL-2.0-only
"""/var/lib/schedctl/trying: a policy was attached, and nobody knows yet whether the machine survives it.

A boot that finds the mark of another boot attaches nothing before a person applies.
"""

from __future__ import annotations

from dataclasses import dataclass

from schedctl import clock, durable, paths
from schedctl.errors import StateError

# Without a stall or a freeze for so long, the policy counts as good.
SETTLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Mark:
    """`at` is the wall clock's, for people; `boot_ns` counts from the start of the boot `boot_id`."""

    policy: str
    profile: str
    boot_id: str
    boot_ns: int
    at: str


def set_mark(policy: str, profile: str) -> None:
    """Before an attach or a swap, synced; `policy` is its hash. StateError: do not attach."""
    durable.write_json(
        paths.trying_file(),
        {
            "schedctl_trying": 1,
            "policy": policy,
            "profile": profile,
            "boot_id": clock.boot_id(),
            "boot_ns": clock.boot_ns(),
            "at": clock.today(),
        },
    )


def mark() -> Mark | None:
    """StateError where there is one that cannot be read."""
    document = durable.read_json(paths.trying_file())
    if document is None:
        return None
    try:
        policy, profile, boot, at = (str(document[key]) for key in ("policy", "profile", "boot_id", "at"))
        return Mark(policy, profile, boot, int(document["boot_ns"]), at)
    except (KeyError, TypeError, ValueError):
        raise StateError(f"{paths.trying_file()} is damaged") from None


def clear_mark() -> None:
    """StateError where it cannot be removed."""
    durable.remove(paths.trying_file())


def held_by_mark(boot_id: str) -> Mark | None:
    """The mark of another boot, for which nothing is attached; one that cannot be read is another's."""
    try:
        found = mark()
    except StateError:
        return Mark("", "", "", 0, "")
    return found if found is not None and found.boot_id != boot_id else None
