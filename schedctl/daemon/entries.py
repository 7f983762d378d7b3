# SPDX-License-Identifier: GPL-2.0-only
"""Events of the scheduler as journal entries: the first at once, then a sum, however many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from schedctl.image.task import Event, EventKind
from schedctl.log import Priority, log
from schedctl.messages import Kind
from schedctl.printable import shown
from schedctl.quantity import rounded_duration

# At most one entry per class and kind in this time.
WINDOW_S = 10.0

Key = tuple[EventKind, str]
Names = Callable[[Event], str]


@dataclass(slots=True)
class _Window:
    """What was not said since the last entry."""

    until: float
    count: int = 0
    worst: Event | None = None


class Entries:
    """`note` says or counts; `flush`, once the time of `due_at` has come, says the sums."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._windows: dict[Key, _Window] = {}

    def note(self, events: Iterable[Event], name_of: Names) -> None:
        """Of misses, overruns and surplus threads; the other kinds are for the daemon itself."""
        now = self._clock()
        for event in events:
            if event.kind not in _SENTENCES:
                continue
            key = (event.kind, name_of(event))
            window = self._windows.get(key)
            if window is None:
                self._windows[key] = _Window(now + WINDOW_S)
                _say(key, event, 1)
                continue
            window.count += 1
            if window.worst is None or event.value >= window.worst.value:
                window.worst = event

    def due_at(self) -> float | None:
        return min((window.until for window in self._windows.values()), default=None)

    def flush(self) -> None:
        """A window without events ends; one with some begins anew, so that there is no second first entry."""
        now = self._clock()
        for key, window in list(self._windows.items()):
            if window.until > now:
                continue
            if window.worst is None:
                del self._windows[key]
                continue
            _say(key, window.worst, window.count)
            self._windows[key] = _Window(now + WINDOW_S)


@dataclass(frozen=True, slots=True)
class _Sentence:
    kind: Kind
    one: str
    many: str
    field: str | None = None


_SENTENCES = {
    EventKind.MISS: _Sentence(
        "miss",
        "missed its deadline by {value}",
        "{count} more deadlines missed, by up to {value}: that by",
        "tardiness_ns",
    ),
    EventKind.OVERRUN: _Sentence(
        "overrun",
        "ran {value} beyond its budget",
        "{count} more budgets overrun, by up to {value}: that by",
        "overrun_ns",
    ),
    EventKind.SURPLUS: _Sentence(
        "surplus",
        "is one more than the class's `threads`, and runs as fair",
        "{count} more times a thread was beyond the class's `threads`, the last",
    ),
}


def _say(key: Key, event: Event, count: int) -> None:
    kind, class_name = key
    sentence, comm = _SENTENCES[kind], shown(event.comm)
    value, who = rounded_duration(event.value), f"thread {event.tid} ({comm})"
    if count == 1:
        text = f"class {class_name}: {who} {sentence.one.format(value=value)}"
    else:
        text = f"class {class_name}: {sentence.many.format(count=count, value=value)} {who}"
    fields: dict[str, str | int | None] = {"class": class_name, "tid": event.tid, "pid": event.pid}
    if sentence.field:
        fields[sentence.field] = event.value
    log(
        text,
        sentence.kind,
        Priority.WARNING,
        generation=event.generation,
        comm=comm,
        count=count,
        **fields,
    )
