# SPDX-License-Identifier: GPL-2.0-only
"""Whether the person at the terminal would be cut off by a machine that no longer answers."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

_LIBRARY = "libsystemd.so.0"


def is_remote() -> bool:
    """By logind (sd_session_is_remote, which sudo does not change), else by what ssh sets."""
    if "SSH_CONNECTION" in os.environ:
        return True
    with suppress(OSError, AttributeError):
        return _session_is_remote(ctypes.CDLL(_LIBRARY))
    return False


def _session_is_remote(library: ctypes.CDLL) -> bool:
    session = ctypes.c_char_p()
    if library.sd_pid_get_session(0, ctypes.byref(session)) < 0:
        return False  # no login session: a service, or a container
    return bool(library.sd_session_is_remote(session) > 0)
