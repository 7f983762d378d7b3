# SPDX-License-Identifier: GPL-2.0-only
"""Between command and daemon: packets of one byte on a Unix socket; a document is a sealed file beside one.

So a document of any size is one packet, nobody waits while a part of it is on its way, and nobody
changes what is being read.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedctl.errors import StateError, UsageError

# 65,536 rules as JSON are less than half of it.
MAX_BYTES = 64 << 20
_PACKET = b"."
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_FLAGS = socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
_CREDENTIALS = struct.Struct("iII")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who was at the other end when it connected."""

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer:
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(data)
    return Peer(pid, uid)


def listen(path: Path, mode: int, backlog: int) -> socket.socket:
    """Replaces what an earlier daemon left there; StateError in a folder that others may write to."""
    listener = socket.socket(socket.AF_UNIX, _FLAGS)
    try:
        with _folder_of(path) as folder:
            _check_owner(path.parent, folder)
            name = f".{path.name}.new"
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
            listener.bind(f"/proc/self/fd/{folder}/{name}")
            os.chmod(name, mode, dir_fd=folder)
            listener.listen(backlog)
            os.rename(name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        listener.close()
        raise StateError(
            f"cannot listen at {path}: {error.strerror}", "make room, or `mount /run`"
        ) from error
    except StateError:
        listener.close()
        raise
    return listener


def connect(path: Path) -> socket.socket:
    """Never waits. FileNotFoundError and ConnectionRefusedError: nobody is there; BlockingIOError: busy."""
    connection = socket.socket(socket.AF_UNIX, _FLAGS)
    try:
        with _folder_of(path) as folder:
            connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    except OSError:
        connection.close()
        raise
    return connection


def sealed(document: dict[str, Any]) -> int:
    """The document as the descriptor of a file that nobody can change; the caller closes it."""
    descriptor = os.memfd_create("schedctl", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(json.dumps(document).encode())
    seal(descriptor)
    return descriptor


def seal(descriptor: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)


def send(connection: socket.socket, descriptor: int | None = None) -> None:
    """A packet, with a document where there is a descriptor; OSError where the other end has left."""
    descriptors = [] if descriptor is None else [descriptor]
    socket.send_fds(connection, [_PACKET], descriptors, socket.MSG_NOSIGNAL)


def send_document(connection: socket.socket, document: dict[str, Any]) -> None:
    descriptor = sealed(document)
    try:
        send(connection, descriptor)
    finally:
        os.close(descriptor)


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """The document that comes with the next packet; None where it comes without one.

    EOFError where the other end has left, BlockingIOError where nothing is there yet; UsageError for
    what is no document.
    """
    data, descriptors, _, _ = socket.recv_fds(connection, 16, 1, socket.MSG_CMSG_CLOEXEC)
    try:
        if not data:
            raise EOFError
        return _document(descriptors[0]) if descriptors else None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _document(descriptor: int) -> dict[str, Any]:
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:  # a pipe, a device: reading could wait
        seals = 0
    if seals & _SEALS != _SEALS:
        raise UsageError("a document that is no sealed file")
    size = os.fstat(descriptor).st_size
    if size > MAX_BYTES:
        raise UsageError(f"a document of {size} bytes, at most {MAX_BYTES} are read")
    try:
        found = json.loads(os.pread(descriptor, size, 0))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"a document that is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise UsageError("a document that is no mapping")
    return found


@contextmanager
def _folder_of(path: Path) -> Iterator[int]:
    """Of a path of any length: a socket's address has 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def _check_owner(path: Path, folder: int) -> None:
    found = os.fstat(folder)
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateError(
            f"{path} belongs to user {found.st_uid} with mode {found.st_mode & 0o7777:04o}: others may write",
            f"chown root: {path}; chmod 755 {path}",
        )
