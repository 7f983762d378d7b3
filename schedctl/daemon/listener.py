# SPDX-License-Identifier: GPL-2.0-only
"""What the daemon does between reconciles: it hears the scheduler's events, and sets timer slack.

An event is a hint. Which slack a thread is to have is read from the kernel at the moment of writing, and
what was lost is found by one walk over all threads: at the start, and after events were dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from schedctl import paths
from schedctl.daemon.entries import WINDOW_S, Entries
from schedctl.errors import SchedctlError
from schedctl.image.abi import Heading
from schedctl.image.stats import SchedStats
from schedctl.image.task import Event, EventKind
from schedctl.kernel.protocol import EventSource, Kernel, NotAttachedError
from schedctl.lock import LockHeldError, locked
from schedctl.log import Priority, log
from schedctl.slack import wanted_slack

# Somebody else writes to the kernel just now.
RETRY_S = 0.5
# Names of classes of policies that ran lately: events are a little older than what is read now.
HEADINGS_KEPT = 4

Attend = Callable[[int | None], None]


class Listener:
    """`follow` after each reconcile, `read` when its descriptor is readable, `due` at `due_at`, `close`."""

    def __init__(self, kernel: Kernel, attend: Attend, clock: Callable[[], float]) -> None:
        self._kernel = kernel
        self._attend = attend
        self._clock = clock
        self._entries = Entries(clock)
        self._source: EventSource | None = None
        self._enable_seq: int | None = None  # of the scheduler that is listened to
        self._totals = SchedStats()
        self._headings: dict[int, Heading] = {}
        self._asked: set[int] = set()  # threads whose slack is to be looked at
        self._walk_at: float | None = None
        self._retry_at: float | None = None
        self._walk_again_at = 0.0
        self._lost = 0  # since the last walk
        self._ended = False
        self.quotas_changed = False
        """A quota was set since it was last made False."""

    def follow(self) -> None:
        """Listen to the scheduler of ours that runs now, if one does."""
        state = self._kernel.sched_state()
        if not state.ours or not self._kernel.pinned():
            self.close()
            if not state.ours:
                self._kernel.give_slack_back()  # what was ejected does not ask for it any more
            return
        if state.enable_seq == self._enable_seq:
            return
        self.close()
        try:
            self._source = self._kernel.listen()
        except NotAttachedError as error:  # another version's, which has no events
            self._enable_seq = state.enable_seq
            log(f"nothing is heard of the scheduler: {error.message}", "deaf", Priority.WARNING)
            return
        self._enable_seq = state.enable_seq
        self._totals = self._kernel.read_sched_stats()
        self._attend(self._source.fileno())
        self._walk()

    def close(self) -> None:
        self._attend(None)
        if self._source is not None:
            self._source.close()
        self._source, self._enable_seq, self._walk_at, self._retry_at = None, None, None, None
        self._asked.clear()

    def read(self) -> None:
        """A bounded number of events; what remains keeps the descriptor readable."""
        if self._source is None:
            return
        events = self._source.read()
        self._ended |= any(event.kind is EventKind.EXIT for event in events)
        heading = self._heading()
        if heading is None:
            return
        self._entries.note(events, self._class_name)
        self._asked |= {event.tid for event in events if event.kind is EventKind.SLACK}
        self.look()
        self._settle()

    def take_ended(self) -> bool:
        """Whether the scheduler has told since the last call that it has ended."""
        ended, self._ended = self._ended, False
        return ended

    def look(self) -> None:
        """Two counters tell what the events may not: that some were lost, that a quota was set."""
        if self._source is None:
            return
        try:
            totals = self._kernel.read_sched_stats()
        except NotAttachedError:
            return
        lost = totals.nr_events_dropped - self._totals.nr_events_dropped
        if lost > 0:
            self._lost += lost
            self._walk_at = max(self._clock(), self._walk_again_at)
        self.quotas_changed |= totals.nr_quota_changes != self._totals.nr_quota_changes
        self._totals = totals

    def due_at(self) -> float | None:
        times = (self._entries.due_at(), self._walk_at, self._retry_at)
        return min((at for at in times if at is not None), default=None)

    def due(self) -> None:
        """What is due now: sums for the journal, the walk, slack that could not be set."""
        now = self._clock()
        self._entries.flush()
        if self._walk_at is not None and self._walk_at <= now:
            self._walk_at, self._walk_again_at = None, now + WINDOW_S
            self._walk()
        if self._retry_at is not None and self._retry_at <= now:
            self._retry_at = None
            self._settle()

    # --- timer slack ---------------------------------------------------------------------------

    def _walk(self) -> None:
        """Every thread of which a class has asked for slack."""
        if self._lost:
            text = f"{self._lost} events were lost: they came faster than they were read"
            log(text, "lost", Priority.WARNING, count=self._lost)
        self._lost = 0
        try:
            self._asked |= {tid for tid, context in self._kernel.contexts() if context.slack_ns}
        except NotAttachedError:
            return
        self._settle()

    def _settle(self) -> None:
        """Under the lock: a detach gives slack back, and nothing may be written after that."""
        if not self._asked:
            return
        try:
            with locked(paths.lock_file(), 0):
                heading = self._heading()
                if heading is not None:
                    choose = partial(wanted_slack, heading=heading)
                    for tid in self._asked:
                        self._kernel.set_slack(tid, choose)
                self._asked.clear()
        except LockHeldError:
            self._retry_at = self._clock() + RETRY_S

    # --- names -----------------------------------------------------------------------------------

    def _heading(self) -> Heading | None:
        """Of the policy that runs; None where none does any more."""
        try:
            heading = self._kernel.read_heading()
        except SchedctlError:
            return None
        if heading.generation not in self._headings:
            self._headings[heading.generation] = heading
            for generation in sorted(self._headings)[:-HEADINGS_KEPT]:
                del self._headings[generation]
        return heading

    def _class_name(self, event: Event) -> str:
        heading = self._headings.get(event.generation)
        if heading is None or event.class_id >= len(heading.names):
            return f"number {event.class_id}"
        return heading.names[event.class_id]
