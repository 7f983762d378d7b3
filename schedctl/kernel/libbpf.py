# SPDX-License-Identifier: GPL-2.0-only
"""The part of libbpf that is used, as ctypes sees it; no policy here. Needs libbpf 1.4 (2024) or newer."""

from __future__ import annotations

import ctypes
import errno
import functools
import mmap
import os
import struct
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass

from schedctl.errors import HostError

LIBRARY = "libbpf.so.1"
OLDEST = (1, 4)
_MAP_TYPE_ARRAY = 2
_MAP_TYPE_RINGBUF = 27
_F_INNER_MAP = 1 << 12
_ATTACH_STRUCT_OPS = 44  # enum bpf_attach_type
_LINK_INFO = "<IIIIII"  # type, id, prog_id, (hole), map_id of a struct_ops link
_WARN = 0
_PRINT = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)
_INFO_BYTES = 256
_LINE_BYTES = 1 << 20

_SIGNATURES: dict[str, tuple[object, list[object]]] = {
    "libbpf_major_version": (c_uint32, []),
    "libbpf_minor_version": (c_uint32, []),
    "libbpf_num_possible_cpus": (c_int, []),
    "libbpf_set_print": (c_void_p, [c_void_p]),
    "bpf_object__open_file": (c_void_p, [c_char_p, c_void_p]),
    "bpf_object__load": (c_int, [c_void_p]),
    "bpf_object__close": (None, [c_void_p]),
    "bpf_object__find_map_by_name": (c_void_p, [c_void_p, c_char_p]),
    "bpf_map__fd": (c_int, [c_void_p]),
    "bpf_map__attach_struct_ops": (c_void_p, [c_void_p]),
    "bpf_link__fd": (c_int, [c_void_p]),
    "bpf_link__destroy": (c_int, [c_void_p]),
    "bpf_map__reuse_fd": (c_int, [c_void_p, c_int]),
    "bpf_link_create": (c_int, [c_int, c_int, c_int, c_void_p]),
    "bpf_link_detach": (c_int, [c_int]),
    "bpf_obj_pin": (c_int, [c_int, c_char_p]),
    "bpf_obj_get": (c_int, [c_char_p]),
    "bpf_obj_get_info_by_fd": (c_int, [c_int, c_void_p, POINTER(c_uint32)]),
    "bpf_map_lookup_elem": (c_int, [c_int, c_void_p, c_void_p]),
    "bpf_map_create": (c_int, [c_int, c_char_p, c_uint32, c_uint32, c_uint32, c_void_p]),
    "bpf_map_get_fd_by_id": (c_int, [c_uint32]),
    "bpf_map_lookup_batch": (
        c_int,
        [c_int, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_uint32), c_void_p],
    ),
    "bpf_map_update_batch": (c_int, [c_int, c_void_p, c_void_p, POINTER(c_uint32), c_void_p]),
    "bpf_map_update_elem": (c_int, [c_int, c_void_p, c_void_p, c_uint64]),
    "ring_buffer__new": (c_void_p, [c_int, c_void_p, c_void_p, c_void_p]),
    "ring_buffer__add": (c_int, [c_void_p, c_int, c_void_p, c_void_p]),
    "ring_buffer__ring": (c_void_p, [c_void_p, c_uint32]),
    "ring_buffer__epoll_fd": (c_int, [c_void_p]),
    "ring_buffer__free": (None, [c_void_p]),
    "ring__consume": (c_int, [c_void_p]),
}


@functools.cache
def library() -> ctypes.CDLL:
    """The library with its functions declared; HostError where it is missing or too old."""
    install = f"install libbpf {OLDEST[0]}.{OLDEST[1]} or newer (Debian 13: apt install libbpf1)"
    try:
        lib = ctypes.CDLL(LIBRARY, use_errno=True)
    except OSError:
        raise HostError(f"{LIBRARY} is not installed", install) from None
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(lib, name, None)
        if function is None:
            raise HostError(f"{LIBRARY} is too old: it has no {name}", install)
        function.restype, function.argtypes = result, arguments
    version = (lib.libbpf_major_version(), lib.libbpf_minor_version())
    if version < OLDEST:
        raise HostError(f"libbpf {version[0]}.{version[1]} is too old", install)
    return lib


def version() -> str:
    lib = library()
    return f"{lib.libbpf_major_version()}.{lib.libbpf_minor_version()}"


def nr_possible_cpus() -> int:
    return int(library().libbpf_num_possible_cpus())


class MessageLog:
    """libbpf's warnings, the verifier's log among them, while the context lasts."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._libc = ctypes.CDLL(None)
        self._libc.vsnprintf.argtypes = [c_void_p, c_size_t, c_char_p, c_void_p]
        self._callback = _PRINT(self._print)

    def _print(self, level: int, template: bytes, arguments: int) -> int:
        if level == _WARN:
            buffer = ctypes.create_string_buffer(_LINE_BYTES)
            self._libc.vsnprintf(buffer, _LINE_BYTES, template, arguments)
            self._parts.append(buffer.value.decode("utf-8", "replace"))
        return 0

    def __enter__(self) -> MessageLog:
        library().libbpf_set_print(ctypes.cast(self._callback, c_void_p))
        return self

    def __exit__(self, *_: object) -> None:
        library().libbpf_set_print(None)

    @property
    def text(self) -> str:
        return "".join(self._parts)


class _CreateOptions(ctypes.Structure):
    """struct bpf_map_create_opts as of libbpf 1.0; `size` tells how much of it is meant."""

    _fields_ = [
        ("size", c_size_t),
        ("btf_fd", c_uint32),
        ("btf_key_type_id", c_uint32),
        ("btf_value_type_id", c_uint32),
        ("btf_vmlinux_value_type_id", c_uint32),
        ("inner_map_fd", c_uint32),
        ("map_flags", c_uint32),
    ]


@dataclass(slots=True)
class Map:
    """A map's file descriptor with the sizes that the kernel states; every call raises OSError."""

    fd: int
    id: int
    value_size: int
    max_entries: int

    @classmethod
    def from_fd(cls, fd: int) -> Map:
        info, length = ctypes.create_string_buffer(_INFO_BYTES), c_uint32(_INFO_BYTES)
        _checked(library().bpf_obj_get_info_by_fd(fd, info, byref(length)))
        _, identity, _, value_size, max_entries = struct.unpack_from("<5I", info.raw)
        return cls(fd, identity, value_size, max_entries)

    @classmethod
    def from_id(cls, identity: int) -> Map:
        return cls.from_fd(_checked(library().bpf_map_get_fd_by_id(identity)))

    @classmethod
    def of_elements(cls, name: str, value_size: int, data: bytes) -> Map:
        """A new array that holds `data`, for an array of maps; it has at least one element."""
        count = max(1, len(data) // value_size)
        options = _CreateOptions(size=ctypes.sizeof(_CreateOptions), map_flags=_F_INNER_MAP)
        create = library().bpf_map_create
        created = cls.from_fd(
            _checked(create(_MAP_TYPE_ARRAY, name.encode(), 4, value_size, count, byref(options)))
        )
        if data:
            created.fill(data)
        return created

    @classmethod
    def of_ring(cls, name: str, size: int) -> Map:
        """A new ring buffer of `size` bytes, or of a page where pages are larger."""
        create, size = library().bpf_map_create, max(size, mmap.PAGESIZE)
        return cls.from_fd(_checked(create(_MAP_TYPE_RINGBUF, name.encode(), 0, 0, size, None)))

    @classmethod
    def from_pin(cls, path: str) -> Map:
        return cls.from_fd(_checked(library().bpf_obj_get(path.encode())))

    def close(self) -> None:
        os.close(self.fd)

    def lookup(self, key: int = 0) -> bytes:
        value = ctypes.create_string_buffer(self.value_size)
        _checked(library().bpf_map_lookup_elem(self.fd, byref(c_uint32(key)), value))
        return value.raw

    def elements(self) -> bytes:
        """All values of an array in one call."""
        count, next_key = c_uint32(self.max_entries), c_uint32(0)
        keys = (c_uint32 * self.max_entries)()
        values = ctypes.create_string_buffer(self.value_size * self.max_entries)
        library().bpf_map_lookup_batch(
            self.fd, None, byref(next_key), keys, values, byref(count), None
        )  # ENOENT: the end was reached
        if count.value != self.max_entries:
            raise last_error()
        return values.raw

    def lookup_per_cpu(self, key: int = 0) -> list[bytes]:
        """One value per possible CPU; the kernel gives each in steps of 8 bytes."""
        step, cpus = -(-self.value_size // 8) * 8, nr_possible_cpus()
        value = ctypes.create_string_buffer(step * cpus)
        _checked(library().bpf_map_lookup_elem(self.fd, byref(c_uint32(key)), value))
        return [value.raw[i * step : i * step + self.value_size] for i in range(cpus)]

    def update(self, value: bytes, key: int = 0) -> None:
        """Replace one element; the value of a map of maps is a map's file descriptor."""
        if len(value) != self.value_size:
            raise OSError(errno.EINVAL, f"a value of {len(value)} bytes for one of {self.value_size}")
        _checked(library().bpf_map_update_elem(self.fd, byref(c_uint32(key)), value, 0))

    def fill(self, values: bytes, first: int = 0) -> None:
        """Consecutive elements of an array in one call."""
        count = len(values) // self.value_size
        keys, done = (c_uint32 * count)(*range(first, first + count)), c_uint32(count)
        _checked(library().bpf_map_update_batch(self.fd, keys, values, byref(done), None))

    def clear_per_cpu(self, key: int) -> None:
        zeros = bytes(-(-self.value_size // 8) * 8 * nr_possible_cpus())
        _checked(library().bpf_map_update_elem(self.fd, byref(c_uint32(key)), zeros, 0))

    def pin(self, path: str) -> None:
        _checked(library().bpf_obj_pin(self.fd, path.encode()))


class Object:
    """An opened BPF object; `close` frees what is not pinned. Calls raise OSError."""

    def __init__(self, path: str) -> None:
        ctypes.set_errno(0)
        self._pointer = library().bpf_object__open_file(path.encode(), None)
        if not self._pointer:
            raise last_error()

    def load(self) -> None:
        _checked(library().bpf_object__load(self._pointer))

    def map(self, name: str) -> Map:
        """A map of the loaded object; closed with the object."""
        return Map.from_fd(library().bpf_map__fd(self._map(name)))

    def reuse(self, name: str, fd: int) -> None:
        """Before `load`: the object's map is to be this one."""
        _checked(library().bpf_map__reuse_fd(self._map(name), fd))

    def attach_struct_ops(self, name: str) -> Link:
        """For the first time: it is made known to the kernel before."""
        ctypes.set_errno(0)
        pointer = library().bpf_map__attach_struct_ops(self._map(name))
        if not pointer:
            raise last_error()
        try:
            return Link(os.dup(library().bpf_link__fd(pointer)))
        finally:
            library().bpf_link__destroy(pointer)  # closes its own descriptor

    def _map(self, name: str) -> int:
        pointer = library().bpf_object__find_map_by_name(self._pointer, name.encode())
        if not pointer:
            raise OSError(errno.ENOENT, f"the object has no map {name}")
        return int(pointer)

    def close(self) -> None:
        library().bpf_object__close(self._pointer)


@dataclass(slots=True)
class Link:
    """A struct_ops link's file descriptor: closing the last one detaches, unless it is pinned. OSError."""

    fd: int

    @classmethod
    def of_struct_ops(cls, ops: Map) -> Link:
        """Attach the scheduler whose struct_ops map this is; also one that was detached before."""
        return cls(_checked(library().bpf_link_create(ops.fd, 0, _ATTACH_STRUCT_OPS, None)))

    @classmethod
    def from_pin(cls, path: str) -> Link:
        return cls(_checked(library().bpf_obj_get(path.encode())))

    def attached(self) -> bool:
        """Whether nobody has detached it; also true of a scheduler that the kernel has ejected."""
        info, length = ctypes.create_string_buffer(_INFO_BYTES), c_uint32(_INFO_BYTES)
        _checked(library().bpf_obj_get_info_by_fd(self.fd, info, byref(length)))
        return bool(struct.unpack_from(_LINK_INFO, info.raw)[4])

    def detach(self) -> None:
        """BPF_LINK_DETACH: returns when the scheduler has ended."""
        _checked(library().bpf_link_detach(self.fd))

    def pin(self, path: str) -> None:
        _checked(library().bpf_obj_pin(self.fd, path.encode()))

    def close(self) -> None:
        os.close(self.fd)


def _checked(result: int) -> int:
    """libbpf 1.x returns -errno, or -1 with errno set."""
    if result < 0:
        raise last_error(result)
    return result


def last_error(result: int = -1) -> OSError:
    """What a call that has failed left in errno."""
    code = ctypes.get_errno() or -result
    return OSError(code, os.strerror(code))
