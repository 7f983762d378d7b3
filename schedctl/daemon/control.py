# SPDX-License-Identifier: GPL-2.0-only
"""The control socket: root's commands, in order. The loop itself says that it lives, before it begins."""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from schedctl import channel
from schedctl.errors import ConflictError, SchedctlError, UsageError
from schedctl.handover import answer_document
from schedctl.log import Priority, log
from schedctl.report import Report, report_of
from schedctl.request import REQUEST_VERSION, Request, Who, who_is

MAX_CLIENTS = 16
# A command sends its request at once; who has sent nothing for so long is let go.
SILENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose command was told that it is on its way; `answer` it, whatever happens."""

    request: Request
    who: Who
    connection: socket.socket

    def answer(self, report: Report) -> None:
        _answer(self.connection, report, self.request.verb)


class Control:
    """`receive` when the descriptor is readable, then `next` until there is none; neither waits."""

    def __init__(self, listener: socket.socket, clock: Callable[[], float]) -> None:
        self._listener = listener
        self._clock = clock
        self._epoll = select.epoll()
        self._epoll.register(listener, select.EPOLLIN)
        self._silent: dict[int, tuple[float, socket.socket]] = {}  # descriptor -> until, connection
        self._asked: deque[Asked] = deque()

    def fileno(self) -> int:
        return self._epoll.fileno()

    def receive(self) -> None:
        """Take what was said; who has said nothing lately makes room for those who come."""
        for descriptor, _ in self._epoll.poll(0, MAX_CLIENTS + 1):
            if descriptor in self._silent:
                self._hear(self._silent[descriptor][1])
        with suppress(BlockingIOError):
            for _ in range(MAX_CLIENTS):
                if len(self._asked) == MAX_CLIENTS:
                    return  # those behind wait until some are answered
                connection, _ = self._listener.accept()
                self._welcome(connection)

    def next(self) -> Asked | None:
        return self._asked.popleft() if self._asked else None

    def due_at(self) -> float | None:
        """When to call `due`: at once where somebody waits for an answer."""
        if self._asked:
            return self._clock()
        return min((until for until, _ in self._silent.values()), default=None)

    def due(self) -> None:
        now = self._clock()
        for descriptor, (until, _) in list(self._silent.items()):
            if until <= now:
                self._let_go(descriptor)

    def close(self) -> None:
        """Whoever waits is told that nothing was done."""
        for asked in self._asked:
            _answer(asked.connection, report_of(_stopping()), None)
        for descriptor in list(self._silent):
            self._let_go(descriptor)
        self._epoll.close()
        self._listener.close()

    def _welcome(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if channel.peer_of(connection).uid != os.geteuid():
            connection.close()
            return
        if len(self._silent) + len(self._asked) >= MAX_CLIENTS and self._silent:
            self._let_go(next(iter(self._silent)))
        self._silent[connection.fileno()] = self._clock() + SILENCE_S, connection
        self._epoll.register(connection, select.EPOLLIN | select.EPOLLRDHUP)
        self._hear(connection)

    def _let_go(self, descriptor: int) -> None:
        _, connection = self._silent.pop(descriptor)
        connection.close()

    def _hear(self, connection: socket.socket) -> None:
        descriptor = connection.fileno()
        try:
            document = channel.receive(connection)
            channel.send(connection)
        except BlockingIOError:
            return
        except (EOFError, OSError):  # has left, before anything was begun
            self._let_go(descriptor)
            return
        except UsageError as error:
            self._refuse(connection, error)
            return
        peer = channel.peer_of(connection)
        try:
            request = _request(document)
        except SchedctlError as error:
            self._refuse(connection, error)
            return
        self._epoll.unregister(descriptor)
        del self._silent[descriptor]
        self._asked.append(Asked(request, who_is(peer.pid, peer.uid), connection))

    def _refuse(self, connection: socket.socket, error: SchedctlError) -> None:
        peer = channel.peer_of(connection)
        text = f"not understood, from process {peer.pid} of user {peer.uid}: {error.message}"
        log(text, "refused-request", Priority.WARNING, uid=peer.uid, pid=peer.pid)
        del self._silent[connection.fileno()]
        _answer(connection, report_of(error), None)


def _request(document: dict[str, Any] | None) -> Request:
    """Raises UsageError; ConflictError where the command is of another version."""
    if document is None:
        raise UsageError("a packet without a request")
    version = document.get("schedctl_request")
    if isinstance(version, int) and version > REQUEST_VERSION:
        raise ConflictError(
            f"schedctld is older than this command: it knows requests of version {REQUEST_VERSION},"
            f" not {version}",
            "`systemctl restart schedctld`; what is attached stays attached",
        )
    _check_texts(document)
    return Request.from_document(document)


def _check_texts(value: object) -> None:
    """What becomes a path must be one for the kernel."""
    if isinstance(value, dict):
        for item in value.values():
            _check_texts(item)
    elif isinstance(value, str):
        try:
            found = os.fsencode(value)
        except UnicodeError:
            found = b"\0"
        if b"\0" in found:
            raise UsageError(f"a request with a text that is none: {value!r:.40}")


def _answer(connection: socket.socket, report: Report, verb: str | None) -> None:
    """`verb` is None where nothing was carried out. Who has left is not told."""
    with suppress(OSError), connection:
        channel.send_document(connection, answer_document(report, verb))


def _stopping() -> ConflictError:
    return ConflictError("schedctld was stopped before it began", "nothing was changed: try again")
