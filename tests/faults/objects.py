# SPDX-License-Identifier: GPL-2.0-only
"""The maps, programs and links that the kernel has, asked of libbpf and not of schedctl."""

from __future__ import annotations

import ctypes
import os
from collections import Counter
from collections.abc import Iterator

_KINDS = ("map", "prog", "link")
_NAME_AT = {"map": 24, "prog": 64, "link": None}
_WALKED_AT = 216
_INFO_BYTES = 256
_NAME_BYTES = 16
# systemd gives units programs of its own whenever it likes.
_NOT_OURS = ("sd_", "restrict_", "hid_")


def objects() -> Counter[str]:
    """How many there are of each kind and name; a link's name is its type."""
    names = ((kind, _name(kind, info)) for kind in _KINDS for info in _infos(kind))
    return Counter(f"{kind} {name}" for kind, name in names if not name.startswith(_NOT_OURS))


def walked() -> list[tuple[str, int]]:
    """Each program's name, and how many instructions the verifier walked for it."""
    at = slice(_WALKED_AT, _WALKED_AT + 4)
    return [(_name("prog", info), int.from_bytes(info[at], "little")) for info in _infos("prog")]


def _infos(kind: str) -> Iterator[bytes]:
    """struct bpf_KIND_info of each (linux/bpf.h)."""
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    identity = ctypes.c_uint32(0)
    next_id = getattr(library, f"bpf_{kind}_get_next_id")
    while next_id(identity, ctypes.byref(identity)) == 0:
        descriptor = getattr(library, f"bpf_{kind}_get_fd_by_id")(identity)
        if descriptor < 0:
            continue  # it has just gone
        info, size = ctypes.create_string_buffer(_INFO_BYTES), ctypes.c_uint32(_INFO_BYTES)
        library.bpf_obj_get_info_by_fd(descriptor, info, ctypes.byref(size))
        os.close(descriptor)
        yield info.raw


def _name(kind: str, info: bytes) -> str:
    at = _NAME_AT[kind]
    if at is None:
        return f"of type {int.from_bytes(info[:4], 'little')}"
    return info[at : at + _NAME_BYTES].partition(b"\0")[0].decode(errors="replace")
