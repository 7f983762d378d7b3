# SPDX-License-Identifier: GPL-2.0-only
"""The one lock around every write: flock on /run/schedctl/lock."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schedctl.errors import ConflictError, PrivilegeError, StateError
from schedctl.ownership import check_ours, make_folder

RETRY_S = 0.05


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
                    f"another schedctl holds {path} for more than {timeout_s:g} s",
                    hint=f"see who with `fuser -v {path}`, and try again",
                )
            time.sleep(RETRY_S)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        check_ours(path)
        return descriptor
    except PermissionError as error:
        raise PrivilegeError(
            f"cannot open {path}: not permitted", hint="run it as root, for example with sudo"
        ) from error
    except OSError as error:
        raise StateError(
            f"cannot open {path}: {error.strerror}", hint="make room or remount it writable"
        ) from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
