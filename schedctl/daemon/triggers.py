# SPDX-License-Identifier: GPL-2.0-only
"""What wakes the daemon. A trigger carries no payload: everything is read anew."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from queue import SimpleQueue

from systemd import login
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyObserver

from schedctl.daemon.files import Followed
from schedctl.log import Priority, log


class Trigger(StrEnum):
    FILES = "files"
    RELOAD = "reload"
    STOP = "stop"


TriggerQueue = SimpleQueue[Trigger]
# Reading a profile opens and closes it: those events would feed themselves.
_WRITES = ("created", "modified", "moved", "deleted", "closed")


class Watcher:
    """inotify on the folders in which something followed may change."""

    def __init__(self, queue: TriggerQueue) -> None:
        self._queue = queue
        self._observer: BaseObserver = InotifyObserver()
        self._observer.start()
        self._watched: frozenset[tuple[Path, int]] = frozenset()
        self._files = Followed(frozenset(), frozenset())

    def watch(self, files: Followed) -> None:
        """Watch exactly these; a folder that was replaced by another of its name is watched anew."""
        self._files = files
        wanted = frozenset((path, path.stat().st_ino) for path in map(_existing, files.to_watch()))
        if wanted == self._watched:
            return
        self._observer.unschedule_all()
        self._watched = wanted
        for path, _ in sorted(wanted):
            try:
                self._observer.schedule(_Handler(self._put), str(path), recursive=False)
            except OSError as error:
                # the daemon looks at everything at each tick, too
                log(f"cannot watch {path}: {error}; edits take longer", "unwatched", Priority.WARNING)

    def _put(self, path: Path) -> None:
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


def install_signal_handlers(queue: TriggerQueue) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: queue.put(Trigger.STOP))
    signal.signal(signal.SIGHUP, lambda *_: queue.put(Trigger.RELOAD))
