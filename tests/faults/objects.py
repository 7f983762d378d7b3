# SPDX-License-Identifier: GPL-2.0-only
"""The maps, programs and links that the kernel has, asked of libbpf and not of schedctl."""

from __future__ import annotations

import ctypes
import os
from collections import Counter

_KINDS = ("map", "prog", "link")
_NAME_AT = {"map": 24, "prog": 64, "link": None}
_INFO_BYTES = 256
_NAME_BYTES = 16
# systemd gives units programs of its own whenever it likes.
_NOT_OURS = ("sd_", "restrict_", "hid_")


def objects() -> Counter[str]:
    """How many there are of each kind and name; a link's name is its type."""
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    found: Counter[str] = Counter()
    for kind in _KINDS:
        identity = ctypes.c_uint32(0)
        next_id = getattr(library, f"bpf_{kind}_get_next_id")
        while next_id(identity, ctypes.byref(identity)) == 0:
            descriptor = getattr(library, f"bpf_{kind}_get_fd_by_id")(identity)
            if descriptor < 0:
                continue  # it has just gone
            name = _name(library, kind, descriptor)
            os.close(descriptor)
            if not name.startswith(_NOT_OURS):
                found[f"{kind} {name}"] += 1
    return found


def _name(library: ctypes.CDLL, kind: str, descriptor: int) -> str:
    info, size = ctypes.create_string_buffer(_INFO_BYTES), ctypes.c_uint32(_INFO_BYTES)
    library.bpf_obj_get_info_by_fd(descriptor, info, ctypes.byref(size))
    at = _NAME_AT[kind]
    if at is None:
        return f"of type {int.from_bytes(info.raw[:4], 'little')}"
    return info.raw[at : at + _NAME_BYTES].partition(b"\0")[0].decode(errors="replace")
