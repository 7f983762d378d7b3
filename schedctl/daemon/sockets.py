# SPDX-License-Identifier: GPL-2.0-only
"""The daemon's sockets in /run/schedctl: open while it serves, and one trigger of its queue each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from socket import socket

from schedctl import channel, paths
from schedctl.daemon.control import Asked, Control
from schedctl.daemon.public import BACKLOG, Public, told
from schedctl.daemon.triggers import Trigger, TriggerQueue
from schedctl.errors import StateError
from schedctl.kernel.protocol import Kernel
from schedctl.log import Journal, Priority, log


class Sockets:
    """`open` once there is something to tell, `serve` what is readable. What cannot be opened is said."""

    def __init__(
        self, kernel: Kernel, queue: TriggerQueue, journal: Journal, clock: Callable[[], float]
    ) -> None:
        self._tell = partial(told, kernel, journal.recent)
        self._queue = queue
        self._clock = clock
        self._public: Public | None = None
        self._control: Control | None = None

    def open(self) -> None:
        if listener := _listen(paths.control_socket(), 0o600):
            self._control = Control(listener, self._clock)
            self._queue.attend(Trigger.CONTROL, self._control.fileno())
        if listener := _listen(paths.status_socket(), 0o666):
            self._public = Public(listener, self._tell, self._clock)
            self._queue.attend(Trigger.STATUS, self._public.fileno())

    def serve(self, triggers: set[Trigger]) -> None:
        if self._public and Trigger.STATUS in triggers:
            self._public.serve()
        if self._control and Trigger.CONTROL in triggers:
            self._control.receive()

    def next(self) -> Asked | None:
        """What somebody asks to be carried out; None = nobody does."""
        return self._control.next() if self._control else None

    def renew(self) -> None:
        """Whoever asks from now on is told what has just been done."""
        if self._public:
            self._public.renew()

    def due_at(self) -> float | None:
        return self._control.due_at() if self._control else None

    def due(self) -> None:
        if self._control:
            self._control.due()

    def close(self) -> None:
        """Who connects from now on finds nobody."""
        for trigger in (Trigger.STATUS, Trigger.CONTROL):
            self._queue.attend(trigger, None)
        if self._control:
            _remove(paths.control_socket())
            self._control.close()
            self._control = None
        if self._public:
            _remove(paths.status_socket())
            self._public.close()
            self._public = None


def _remove(path: Path) -> None:
    """Where it cannot be removed, nobody listens there all the same."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _listen(path: Path, mode: int) -> socket | None:
    try:
        return channel.listen(path, mode, BACKLOG)
    except StateError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        log(f"{error.message}{hint}", "no-socket", Priority.ERROR)
        return None
