# SPDX-License-Identifier: GPL-2.0-only
"""/run/schedctl/pending: what comes back, and when, unless somebody confirms."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from schedctl import clock, durable, paths
from schedctl.errors import StateError
from schedctl.image.model import PolicyImage
from schedctl.quantity import NS_PER_S
from schedctl.ran import Ran, policy_hash

_DAMAGE = (KeyError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class Pending:
    """`number` is the history's; `until_ns` is CLOCK_BOOTTIME's, which nobody sets.

    `policy` is the hash of what waits, None where an older schedctl wrote the file. `standing` is the
    profile that schedctl.yaml is to name once it is confirmed. `timer` is the transient unit that acts
    where no daemon does.
    """

    number: int
    until_ns: int
    before: Ran
    profile: str
    standing: str | None = None
    timer: str | None = None
    policy: str | None = None

    def is_about(self, live: PolicyImage) -> bool:
        """By the policy: another one can have the profile's name."""
        if self.policy is None:
            return live.profile == self.profile
        return policy_hash(live) == self.policy

    @property
    def left_s(self) -> float:
        return (self.until_ns - clock.boot_ns()) / NS_PER_S

    def to_document(self) -> dict[str, Any]:
        return {
            "schedctl_pending": 1,
            "number": self.number,
            "until_ns": self.until_ns,
            "before": self.before.to_document(),
            "profile": self.profile,
            "standing": self.standing,
            "timer": self.timer,
            "policy": self.policy,
        }


def read_pending() -> Pending | None:
    """None where nothing is to be confirmed; StateError where that cannot be read."""
    document = durable.read_json(paths.pending_file())
    if document is None:
        return None
    try:
        standing, timer, policy = document["standing"], document["timer"], document.get("policy")
        return Pending(
            int(document["number"]),
            int(document["until_ns"]),
            Ran.from_document(document["before"]),
            str(document["profile"]),
            None if standing is None else str(standing),
            None if timer is None else str(timer),
            None if policy is None else str(policy),
        )
    except _DAMAGE:
        raise StateError(
            f"{paths.pending_file()} is damaged", "`schedctl confirm` keeps what runs; `rollback` does not"
        ) from None


def waiting() -> Pending | None:
    """None also where it cannot be read."""
    with suppress(StateError):
        return read_pending()
    return None


def drop_unfounded(live: PolicyImage) -> Pending | None:
    """Remove what waits about another policy than the one that runs; what was removed. StateError.

    An apply was killed before its flip: nothing has to come back, and there is nothing to confirm.
    """
    pending = waiting()
    if pending is None or pending.is_about(live):
        return None
    clear_pending()
    return pending


def write_pending(pending: Pending) -> None:
    durable.write_json(paths.pending_file(), pending.to_document())


def clear_pending() -> None:
    durable.remove(paths.pending_file())
