# SPDX-License-Identifier: GPL-2.0-only
"""What the daemon tells everybody at its status socket."""

from __future__ import annotations

import select
from dataclasses import dataclass
from typing import Any

from schedctl import __version__, channel, paths
from schedctl.errors import UsageError
from schedctl.printable import shown

VERSION = 1
PATIENCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Told:
    """`figures` are None for root, who can read them, and where nothing could be read.

    `version` is the daemon's; None where it is so old that it does not say.
    """

    events: list[dict[str, Any]]
    enable_seq: int | None = None
    digest: str | None = None
    figures: dict[str, Any] | None = None
    version: str | None = None


def ask(patience_s: float = PATIENCE_S) -> Told | None:
    """None where no daemon answers in time; of what it says in another format only its version is read."""
    try:
        with channel.connect(paths.status_socket()) as connection:
            poll = select.poll()
            poll.register(connection, select.POLLIN)
            if not poll.poll(patience_s * 1000):
                return None
            document = channel.receive(connection)
    except (OSError, EOFError, UsageError):
        return None
    if document is None:
        return None
    said = document.get("version")
    version = said if isinstance(said, str) else None
    if document.get("schedctl_status") != VERSION:
        return Told([], version=version)
    return Told(
        document["last_events"],
        document.get("enable_seq"),
        document.get("digest"),
        document.get("figures"),
        version,
    )


def other_version(version: str | None) -> str | None:
    """A sentence where the daemon that answers is of another version than this command."""
    if version == __version__:
        return None
    its = f"of version {shown(version)}" if version else "older"
    return f"schedctld is {its}, this command is of version {__version__}"
