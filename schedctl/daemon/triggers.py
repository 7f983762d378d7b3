# SPDX-License-Identifier: GPL-2.0-only
"""What wakes the daemon. A trigger carries no payload: everything is read anew."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from queue import SimpleQueue

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyObserver


class Trigger(StrEnum):
    FILES = "files"
    RELOAD = "reload"
    STOP = "stop"


TriggerQueue = SimpleQueue[Trigger]
# Reading a profile opens and closes it: those events would feed themselves.
_WRITES = ("created", "modified", "moved", "deleted", "closed")


class _Handler(FileSystemEventHandler):
    def __init__(self, put: Callable[[Trigger], None]) -> None:
        self._put = put

    def on_any_event(self, event: FileSystemEvent) -> None:
        # watchdog reports a folder as modified for whatever happens to a file in it, the lock too
        if event.event_type not in _WRITES or (event.is_directory and event.event_type == "modified"):
            return
        if _concerns(event.src_path) or _concerns(event.dest_path):
            self._put(Trigger.FILES)


def _concerns(path: str | bytes) -> bool:
    """Profiles, schedctl.yaml, `selected`, and folders that appear; not the lock, not temporary files."""
    name = Path(str(path)).name
    return name.endswith(".yaml") or name in ("selected", "profiles", "schedctl")


class Watcher:
    """inotify on a set of folders that may change; a folder that is missing is watched for in its parent."""

    def __init__(self, queue: TriggerQueue) -> None:
        self._handler = _Handler(queue.put)
        self._observer: BaseObserver = InotifyObserver()
        self._observer.start()
        self._watched: frozenset[tuple[Path, int]] = frozenset()

    def watch(self, folders: Iterable[Path]) -> None:
        """Watch exactly these; one that was replaced by another of its name is watched anew."""
        wanted = frozenset((path, path.stat().st_ino) for path in map(_existing, folders))
        if wanted == self._watched:
            return
        self._observer.unschedule_all()
        for path, _ in sorted(wanted):
            self._observer.schedule(self._handler, str(path), recursive=False)
        self._watched = wanted

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join()


def _existing(folder: Path) -> Path:
    while not folder.is_dir():
        folder = folder.parent
    return folder


def install_signal_handlers(queue: TriggerQueue) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: queue.put(Trigger.STOP))
    signal.signal(signal.SIGHUP, lambda *_: queue.put(Trigger.RELOAD))
