# SPDX-License-Identifier: GPL-2.0-only
"""Who sits at this machine, by systemd's logind."""

from __future__ import annotations

import ctypes
import functools
from contextlib import suppress

LIBRARY = "libsystemd.so.0"


def active_seat() -> tuple[int, ...]:
    """The uids whose session is in the foreground of a seat; () without logind."""
    try:
        from systemd import login
    except ImportError:
        return ()
    library = _library()
    uids: list[int] = []
    with suppress(OSError):
        uids = list(login.uids())
    if library is None:
        return ()
    # systemd-python lists users but cannot say which of them is active
    return tuple(sorted(uid for uid in uids if library.sd_uid_get_seats(uid, 1, None) > 0))


@functools.cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    library.sd_uid_get_seats.argtypes = [ctypes.c_uint32, ctypes.c_int, ctypes.c_void_p]
    library.sd_uid_get_seats.restype = ctypes.c_int
    return library
