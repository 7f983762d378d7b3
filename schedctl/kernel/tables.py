# SPDX-License-Identifier: GPL-2.0-only
"""A policy's tables in the kernel's maps, and the kernel's refusals as errors for people."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Iterator
from contextlib import contextmanager

from schedctl.errors import ApplyError, ConflictError, PrivilegeError
from schedctl.image import abi
from schedctl.kernel import libbpf

# In the order of abi.TABLES; each is an array of maps with one table per slot.
TABLE_MAPS = ("buckets", "rules", "patterns")


def split(policy: bytes) -> tuple[bytes, ...]:
    try:
        return abi.split(policy)
    except ValueError as error:
        raise ApplyError(f"not written: {error}") from None


def write_table(outer: libbpf.Map, slot: int, name: str, data: bytes) -> None:
    """A new table of just the size; the one before is freed when no program uses it any more."""
    element = ctypes.sizeof(abi.TABLES[TABLE_MAPS.index(name)])
    inner = libbpf.Map.of_elements(name, element, data)
    try:
        outer.update(inner.fd.to_bytes(4, "little"), slot)
    finally:
        inner.close()


def read_table(outer: libbpf.Map, slot: int, size: int) -> bytes:
    """Its first `size` bytes: a table without elements still has one."""
    inner = libbpf.Map.from_id(int.from_bytes(outer.lookup(slot)[:4], "little"))
    try:
        return inner.elements()[:size]
    finally:
        inner.close()


@contextmanager
def refused(what: str) -> Iterator[None]:
    """The kernel's refusals as errors for people."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise ConflictError(
                f"{what}: another scheduler is attached", "stop it first, then try again"
            ) from error
        if error.errno == errno.EPERM:
            raise PrivilegeError(
                f"{what}: not permitted", "run it as root, outside a container, without kernel lockdown"
            ) from error
        raise ApplyError(f"{what}: {error.strerror}", "see `journalctl -k`") from error
