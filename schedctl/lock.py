# SPDX-License-Identifier: GPL-2.0-only
"""The one lock around every write: flock on /run/schedctl/lock."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from schedctl.errors import ConflictError, PrivilegeError, StateError
from schedctl.printable import shown

RETRY_S = 0.05
_MAX_COMMAND = 120


class LockHeldError(ConflictError):
    """Another schedctl is writing; trying again later helps."""


@contextmanager
def locked(path: Path, timeout_s: float = 30.0) -> Iterator[None]:
    """Hold the lock; LockHeldError when another process holds it longer than the time-out."""
    descriptor = _open(path)
    try:
        deadline = time.monotonic() + timeout_s
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise LockHeldError(
                    f"{_holder(descriptor)} holds {path} for more than {timeout_s:g} s",
                    hint=f"try again when it has ended; `fuser -v {path}` shows who it is",
                )
            time.sleep(RETRY_S)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as error:
        raise PrivilegeError(
            f"cannot open {path}: not permitted", hint="run it as root, for example with sudo"
        ) from error
    except OSError as error:
        raise StateError(
            f"cannot open {path}: {error.strerror}", hint="make room or remount it writable"
        ) from error


def _holder(descriptor: int) -> str:
    """Who has the lock, as /proc tells it: the kernel takes it from whoever ends."""
    found = os.fstat(descriptor)
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    with suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if words[1] == "FLOCK" and place in words:
                return _process(int(words[4]))
    return "another process"


def _process(pid: int) -> str:
    """A child of it may have the lock where it is gone itself."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return f"process {pid}"
    return f"process {pid} (`{shown(b' '.join(words))[:_MAX_COMMAND]}`)"


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
