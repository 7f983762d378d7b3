# SPDX-License-Identifier: GPL-2.0-only
"""Structured messages to the journal; to stderr where no journal listens."""

from __future__ import annotations

import os
import sys
from enum import IntEnum


class Priority(IntEnum):
    """Of syslog(3)."""

    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6


def log(message: str, event: str, priority: Priority = Priority.INFO, **fields: str | int | None) -> None:
    """One entry: `event` and `fields` become SCHEDCTL_EVENT, SCHEDCTL_NAME=… (None is left out)."""
    if "JOURNAL_STREAM" not in os.environ:
        sys.stderr.write(message + "\n")
        return
    from systemd import journal

    journal.send(
        message,
        PRIORITY=str(int(priority)),
        SYSLOG_IDENTIFIER="schedctld",
        SCHEDCTL_EVENT=event,
        **{f"SCHEDCTL_{name.upper()}": str(value) for name, value in fields.items() if value is not None},
    )
