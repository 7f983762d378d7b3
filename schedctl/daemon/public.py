# SPDX-License-Identifier: GPL-2.0-only
"""The status socket: whoever connects is given one document, and nothing is read from anybody.

Other users' threads are not named in it: /proc may be closed to who asks. Who does not take his document
costs one descriptor and is waited for by nobody; there are only so many of them, of one user few.
"""

from __future__ import annotations

import fcntl
import math
import os
import select
import socket
import struct
import termios
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from schedctl import __version__, channel
from schedctl.clock import timestamp
from schedctl.errors import SchedctlError
from schedctl.figures import digest, figures
from schedctl.inquiry import VERSION
from schedctl.kernel.protocol import Kernel
from schedctl.log import Entry
from schedctl.messages import MESSAGES
from schedctl.observe import observe

BACKLOG = 32
MAX_HELD, MAX_PER_USER = 64, 8
# A document is made anew when it is so old, and when making it took at most a twentieth of that time.
FRESH_S, COST = 0.1, 20


def told(kernel: Kernel, recent: Iterable[Entry], to_root: bool) -> dict[str, Any]:
    """What the daemon tells: the last events, and to those who cannot read the kernel its figures."""
    events = [_event(entry, to_root) for entry in recent]
    said = {"schedctl_status": VERSION, "version": __version__, "last_events": events}
    if to_root:
        return said
    try:
        observation = observe(kernel)
        if record := observation.last_exit:
            observation = replace(observation, last_exit=replace(record, msg=""))
        found = figures(kernel, observation)
    except SchedctlError:  # detached just now
        return said
    return {
        **said,
        "enable_seq": observation.enable_seq,
        "digest": digest(observation.image),
        "figures": found,
    }


def _event(entry: Entry, with_names: bool) -> dict[str, Any]:
    count = entry.fields.get("count")
    return {
        "at": timestamp(entry.at_ns),
        "event": entry.kind,
        "priority": int(entry.priority),
        "subject": MESSAGES[entry.kind].subject,
        "profile": entry.fields.get("profile"),
        "class": entry.fields.get("class"),
        "count": int(count) if count else None,
        "message": entry.message.split("\n", 1)[0] if with_names else None,
    }


class Public:
    """`serve` when the descriptor is readable; it never waits."""

    def __init__(
        self, listener: socket.socket, document: Callable[[bool], dict[str, Any]], clock: Callable[[], float]
    ) -> None:
        self._listener = listener
        self._document = document
        self._clock = clock
        self._epoll = select.epoll()
        self._epoll.register(listener, select.EPOLLIN)
        self._held: dict[int, tuple[int, socket.socket]] = {}  # descriptor -> uid, connection
        self._made: dict[bool, tuple[float, int]] = {}  # to root? -> fresh until, document

    def fileno(self) -> int:
        return self._epoll.fileno()

    def serve(self) -> None:
        """Give to all who wait, let go who has left or has something to say."""
        for descriptor, _ in self._epoll.poll(0, BACKLOG + MAX_HELD):
            if descriptor in self._held:
                self._let_go(descriptor)
        with suppress(BlockingIOError):
            for _ in range(BACKLOG):
                connection, _ = self._listener.accept()
                self._give(connection)

    def close(self) -> None:
        for descriptor in list(self._held):
            self._let_go(descriptor)
        for _, document in self._made.values():
            os.close(document)
        self._made.clear()
        self._epoll.close()
        self._listener.close()

    def renew(self) -> None:
        """What was made so far is old."""
        self._made = {to_root: (-math.inf, document) for to_root, (_, document) in self._made.items()}

    def _give(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        uid = channel.peer_of(connection).uid
        if self._is_full(uid):
            self._look()
        if self._is_full(uid):
            connection.close()
            return
        try:
            channel.send(connection, self._fresh(uid == os.geteuid()))
        except OSError:  # has left already
            connection.close()
            return
        self._held[connection.fileno()] = uid, connection
        self._epoll.register(connection, select.EPOLLIN | select.EPOLLRDHUP)

    def _is_full(self, uid: int) -> bool:
        of_user = sum(holder == uid for holder, _ in self._held.values())
        return len(self._held) >= MAX_HELD or of_user >= MAX_PER_USER

    def _look(self) -> None:
        """Who has taken the document and stays is let go; who has not cannot be made to forget it."""
        for descriptor in list(self._held):
            (unread,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0" * 4))
            if not unread:
                self._let_go(descriptor)

    def _let_go(self, descriptor: int) -> None:
        _, connection = self._held.pop(descriptor)
        connection.close()

    def _fresh(self, to_root: bool) -> int:
        now = self._clock()
        until, document = self._made.get(to_root, (now, -1))
        if now < until:
            return document
        made = channel.sealed(self._document(to_root))
        if document >= 0:
            os.close(document)
        took = self._clock() - now
        self._made[to_root] = now + max(FRESH_S, COST * took), made
        return made
