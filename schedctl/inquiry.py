# SPDX-License-Identifier: GPL-2.0-only
"""What the daemon tells everybody at its status socket."""

from __future__ import annotations

import select
from dataclasses import dataclass
from typing import Any

from schedctl import channel, paths
from schedctl.errors import UsageError

VERSION = 1
PATIENCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """`figures` are None for root, who can read them, and where nothing could be read."""

    events: list[dict[str, Any]]
    enable_seq: int | None = None
    digest: str | None = None
    figures: dict[str, Any] | None = None


def ask(patience_s: float = PATIENCE_S) -> Told | None:
    """None where no daemon answers in time, or one of another version."""
    try:
        with channel.connect(paths.status_socket()) as connection:
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            if not poll.poll(patience_s * 1000):
                return None
            document = channel.receive(connection)
    except (OSError, EOFError, UsageError):
        return None
    if document is None or document.get("schedctl_status") != VERSION:
        return None
    return Told(
        document["last_events"],
        document.get("enable_seq"),
        document.get("digest"),
        document.get("figures"),
    )
