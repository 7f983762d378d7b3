# SPDX-License-Identifier: GPL-2.0-only
"""What wakes the daemon. A trigger carries no payload: everything is read anew."""

from __future__ import annotations

import errno
import math
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from queue import Empty, SimpleQueue

import watchdog.events
from systemd import login
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyObserver

from schedctl.daemon.files import Followed
from schedctl.log import Priority, log


class Trigger(StrEnum):
    FILES = "files"
    RELOAD = "reload"
    STOP = "stop"
    EVENTS = "events"
    """The scheduler has told something: read it."""
    CONTROL = "control"
    """Somebody asks for a change, or has something to say."""
    STATUS = "status"
    """Somebody asks how things are."""


# Who keeps one of these readable without end wakes the daemon no oftener than this.
PAUSES_S = {Trigger.EVENTS: 0.1, Trigger.STATUS: 0.1, Trigger.CONTROL: 0.0}


NETLINK_KOBJECT_UEVENT = 15
UEVENTS_OF_THE_KERNEL = 1
UEVENT_BYTES = 8192
UEVENT_ENDED = b"remove@/kernel/sched_ext/"


class TriggerQueue:
    """What the loop waits for: triggers that threads and signal handlers put, and readable descriptors."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Trigger] = SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._attended: dict[Trigger, int] = {}
        self._paused_until: dict[Trigger, float] = {}

    def put(self, trigger: Trigger) -> None:
        self._queue.put(trigger)
        os.eventfd_write(self._wake, 1)

    def attend(self, trigger: Trigger, descriptor: int | None) -> None:
        """From now on this descriptor, readable, is that trigger; None = no more."""
        if descriptor is None:
            self._attended.pop(trigger, None)
        else:
            self._attended[trigger] = descriptor

    def get(self, timeout: float | None = None) -> Trigger:
        """Waits for one; raises queue.Empty when the time is over. Triggers that were put go first."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            if not self._queue.empty():  # nobody else takes from it
                return self._queue.get()
            if found := self._poll(end):
                return self._taken({min(found, key=list(PAUSES_S).index)}).pop()
            if end is not None and time.monotonic() >= end and self._queue.empty():
                raise Empty

    def readable(self) -> set[Trigger]:
        """Those whose descriptor is readable now, unless it was lately."""
        return self._taken(self._poll(0))

    def _taken(self, triggers: set[Trigger]) -> set[Trigger]:
        for trigger in triggers:
            self._paused_until[trigger] = time.monotonic() + PAUSES_S[trigger]
        return triggers

    def _poll(self, end: float | None) -> set[Trigger]:
        """Waits until something may be there; which descriptors are readable."""
        now, poll = time.monotonic(), select.poll()
        poll.register(self._wake, select.POLLIN)
        waits = [] if end is None else [end - now]
        for trigger, descriptor in self._attended.items():
            pause_s = self._paused_until.get(trigger, now) - now
            if pause_s <= 0:
                poll.register(descriptor, select.POLLIN)
            else:
                waits.append(pause_s)
        timeout_ms = max(0, math.ceil(min(waits) * 1000)) if waits else None
        readable = {descriptor for descriptor, _ in poll.poll(timeout_ms)}
        return {trigger for trigger, descriptor in self._attended.items() if descriptor in readable}

    def empty(self) -> bool:
        """Whether no trigger was put."""
        return self._queue.empty()


_WRITES = ("created", "modified", "moved", "deleted", "closed", "attrib")
# What the kernel is asked for. Every program that starts opens files in /etc, and reading a profile opens
# and closes it: nobody is to wake up for that.
_EVENTS: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileDeletedEvent, FileClosedEvent),
    *(DirCreatedEvent, DirMovedEvent, DirDeletedEvent),
    # watchdog 7 tells a new owner or mode apart
    *filter(None, [getattr(watchdog.events, "FileAttribEvent", None)]),
]
# watchdog 6 keeps what it knows of each rename as long as it watches the folder.
_MOST_EVENTS = 1000


class Watcher:
    """inotify on the folders in which something followed may change."""

    def __init__(self, queue: TriggerQueue) -> None:
        self._queue = queue
        self._observer: BaseObserver = InotifyObserver()
        self._observer.start()
        self._watched: frozenset[tuple[Path, int]] = frozenset()
        self._files = Followed(frozenset(), frozenset())
        self._seen = 0

    def watch(self, files: Followed) -> None:
        """Watch exactly these; a folder that was replaced by another of its name is watched anew."""
        self._files = files
        wanted = frozenset((path, path.stat().st_ino) for path in map(_existing, files.to_watch()))
        if wanted == self._watched and self._seen < _MOST_EVENTS:
            return
        self._observer.unschedule_all()
        self._seen = 0
        self._watched = wanted
        for path, _ in sorted(wanted):
            try:
                self._observer.schedule(_Handler(self._put), str(path), recursive=False, event_filter=_EVENTS)
            except OSError as error:
                # the daemon looks at everything at each tick, too
                log(f"cannot watch {path}: {error}; edits take longer", "unwatched", Priority.WARNING)

    def _put(self, path: Path) -> None:
        self._seen += 1
        if self._files.concerns(path):
            self._queue.put(Trigger.FILES)

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join()


class _Handler(FileSystemEventHandler):
    def __init__(self, put: Callable[[Path], None]) -> None:
        self._put = put

    def on_any_event(self, event: FileSystemEvent) -> None:
        # watchdog reports a folder as modified for whatever happens to a file in it, the lock too
        if event.event_type not in _WRITES or (event.is_directory and event.event_type == "modified"):
            return
        for path in {event.src_path, event.dest_path}:
            if path:
                self._put(Path(os.fsdecode(path)))


def _existing(folder: Path) -> Path:
    while not folder.is_dir():
        folder = folder.parent
    return folder


class SeatWatcher:
    """Sessions come and go: who sits at the machine decides whose threads `active-seat` lifts."""

    def __init__(self, queue: TriggerQueue) -> None:
        self._queue = queue
        threading.Thread(target=self._run, name="seats", daemon=True).start()

    def _run(self) -> None:
        try:
            monitor = login.Monitor()
        except OSError as error:
            log(f"no sessions to follow: {error.strerror}", "no-sessions")
            return
        poll = select.poll()
        poll.register(monitor, monitor.get_events())
        while True:
            poll.poll(monitor.get_timeout_ms())
            monitor.flush()
            self._queue.put(Trigger.FILES)


class UeventWatcher:
    """The kernel tells user space when a scheduler has left: also where ops.exit could not."""

    def __init__(self, queue: TriggerQueue) -> None:
        self._queue = queue
        threading.Thread(target=self._run, name="uevents", daemon=True).start()

    def _run(self) -> None:
        try:
            events = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_KOBJECT_UEVENT)
            events.bind((0, UEVENTS_OF_THE_KERNEL))
        except OSError as error:
            log(f"no uevents to follow: {error.strerror}; the scheduler itself still tells", "unwatched")
            return
        while True:
            try:
                message = events.recv(UEVENT_BYTES)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return
                message = UEVENT_ENDED  # some were lost
            if message.startswith(UEVENT_ENDED):
                self._queue.put(Trigger.FILES)


def install_signal_handlers(queue: TriggerQueue) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: queue.put(Trigger.STOP))
    signal.signal(signal.SIGHUP, lambda *_: queue.put(Trigger.RELOAD))
