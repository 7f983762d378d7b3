# SPDX-License-Identifier: GPL-2.0-only
"""Which timer slack a thread is to have: its class's, and what it had before once it has left. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from schedctl.image.abi import Heading
from schedctl.image.task import TaskContext


class SlackKept(Protocol):
    """A thread's timer slack before a class asked for another, and what it asked for; 0 = none did."""

    @property
    def slack_ns(self) -> int: ...

    @property
    def slack_asked_ns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class SlackRecord:
    """All that is read of a context whose layout is not ours."""

    slack_ns: int
    slack_asked_ns: int


def given_back(context: SlackKept, now_ns: int) -> int | None:
    """What it had before a class asked; None where that is so, or the thread has since set its own."""
    if context.slack_ns and now_ns == context.slack_asked_ns != context.slack_ns:
        return context.slack_ns
    return None


def wanted_slack(context: TaskContext, now_ns: int, heading: Heading) -> int | None:
    """By the class that it has; None = leave it.

    One that another policy classified is left: it is classified anew, and asks, when it next runs.
    """
    if not context.slack_ns or context.generation != heading.generation:
        return None
    wanted_ns = heading.slack_ns[context.class_id] if context.class_id < len(heading.slack_ns) else 0
    if not wanted_ns:
        return given_back(context, now_ns)
    return wanted_ns if wanted_ns != now_ns else None
