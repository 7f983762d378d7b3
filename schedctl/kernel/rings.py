# SPDX-License-Identifier: GPL-2.0-only
"""The scheduler's events: a ring buffer per CPU, read through libbpf by the one process that listens.

The readers' positions lie in the rings, not in the process: whoever listens next goes on there.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from ctypes import CFUNCTYPE, c_int, c_size_t, c_void_p
from pathlib import Path

from schedctl.image import abi
from schedctl.image.task import Event, decode_event
from schedctl.kernel import libbpf, sysfs

# Of one ring in one go: who writes without end is not read without end.
BATCH = 256
_ENOUGH = -1
_SAMPLE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)


def fill_rings(outer: libbpf.Map) -> None:
    """One new ring per possible CPU, which the kernel frees with the outer map. OSError."""
    for cpu in sysfs.possible_cpus():
        if cpu < outer.max_entries:
            ring = libbpf.Map.of_ring("events", abi.EVENT_RING_BYTES)
            try:
                outer.update(ring.fd.to_bytes(4, "little"), cpu)
            finally:
                ring.close()


def set_listening(control: libbpf.Map, on: bool) -> None:
    """While it is off the scheduler writes nothing, and counts nothing as lost."""
    control.update(bytes(abi.Control(listening=on)))


class RingReader:
    """See protocol.EventSource. Owns what it was given when the constructor returns; OSError."""

    def __init__(self, outer: libbpf.Map, control: Path) -> None:
        self._lib = libbpf.library()
        self._batch: list[bytes] = []
        # kept: libbpf holds only the address
        self._callback = _SAMPLE(self._take)
        self._fds: list[int] = []
        self._pointer: int | None = None
        self._control: libbpf.Map | None = None
        try:
            for cpu in sysfs.possible_cpus():
                self._add(int.from_bytes(outer.lookup(cpu)[:4], "little"))
            self._control = libbpf.Map.from_pin(str(control))
            set_listening(self._control, True)
        except BaseException:
            self._free()
            raise

    def _add(self, ring_id: int) -> None:
        fd = libbpf.Map.from_id(ring_id).fd
        self._fds.append(fd)
        callback = ctypes.cast(self._callback, c_void_p)
        if self._pointer is None:
            self._pointer = self._lib.ring_buffer__new(fd, callback, None, None)
            if not self._pointer:
                raise libbpf.last_error()
        elif (result := self._lib.ring_buffer__add(self._pointer, fd, callback, None)) < 0:
            raise OSError(-result, os.strerror(-result))

    def _take(self, _context: int, data: int, size: int) -> int:
        self._batch.append(ctypes.string_at(data, size))
        return _ENOUGH if len(self._batch) >= BATCH else 0

    def fileno(self) -> int:
        return int(self._lib.ring_buffer__epoll_fd(self._pointer))

    def read(self) -> tuple[Event, ...]:
        found: list[Event] = []
        for number in range(len(self._fds)):
            self._batch.clear()
            self._lib.ring__consume(self._lib.ring_buffer__ring(self._pointer, number))
            for data in self._batch:
                if (event := _decoded(data)) is not None:
                    found.append(event)
        return tuple(found)

    def close(self) -> None:
        if self._control is not None:
            with suppress(OSError):  # then nobody reads, and what does not fit is counted
                set_listening(self._control, False)
        self._free()

    def _free(self) -> None:
        if self._pointer:
            self._lib.ring_buffer__free(self._pointer)
        for fd in self._fds:
            os.close(fd)
        if self._control is not None:
            self._control.close()
        self._pointer, self._fds, self._control = None, [], None


def _decoded(data: bytes) -> Event | None:
    """None for a kind that a newer scheduler, which goes on running, has and this reader does not."""
    try:
        return decode_event(data)
    except ValueError:
        return None
