# SPDX-License-Identifier: GPL-2.0-only
"""The system calls that change state, each with a name that is the same in every run: a step."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.faults.ptrace import Call

# Their numbers on x86-64.
BPF = 321
WRITE = 1
_OPEN, _OPENAT = 2, 257
_BY_DESCRIPTOR = {1: "write", 18: "pwrite64", 20: "writev", 74: "fsync", 75: "fdatasync", 77: "ftruncate"}
_BY_DESCRIPTOR |= {91: "fchmod", 93: "fchown", 285: "fallocate", 306: "syncfs", 190: "fsetxattr"}
_BY_PATH = {76: "truncate", 83: "mkdir", 84: "rmdir", 85: "creat", 87: "unlink", 90: "chmod", 92: "chown"}
_BY_PATH |= {94: "lchown", 133: "mknod", 166: "umount", 188: "setxattr"}
_BY_TWO_PATHS = {82: "rename", 86: "link", 88: "symlink", 165: "mount"}
_AT = {258: "mkdir", 259: "mknod", 260: "fchownat", 263: "unlink", 268: "fchmodat", 280: "utimensat"}
_TWO_AT = {264: "rename", 265: "link", 316: "rename"}
_COPYING = {40: "sendfile", 326: "copy_file_range"}
_SYMLINKAT = 266
_ANONYMOUS = ("pipe:", "socket:", "anon_inode:", "/dev/", "?")
# Whether the path is to be there.
_NEEDS = {"mkdir": False, "rmdir": True, "unlink": True, "rename": True}
_O_CREAT, _O_TRUNC = os.O_CREAT, os.O_TRUNC
_AT_FDCWD = -100

_BPF_COMMANDS = {0: "MAP_CREATE", 2: "MAP_UPDATE_ELEM", 3: "MAP_DELETE_ELEM", 5: "PROG_LOAD", 6: "OBJ_PIN"}
_BPF_COMMANDS |= {8: "PROG_ATTACH", 9: "PROG_DETACH", 18: "BTF_LOAD", 22: "MAP_FREEZE"}
_BPF_COMMANDS |= {26: "MAP_UPDATE_BATCH", 27: "MAP_DELETE_BATCH", 28: "LINK_CREATE", 29: "LINK_UPDATE"}
_BPF_COMMANDS |= {34: "LINK_DETACH", 35: "PROG_BIND_MAP"}
_NAME_BYTES = 16
_MAP_NAME_AT, _PROG_NAME_AT, _INFO_NAME_AT = 28, 48, 24
_INFO_BYTES = 64

NUMBERS = (BPF, _OPEN, _OPENAT, *_BY_DESCRIPTOR, *_BY_PATH, *_BY_TWO_PATHS, *_AT, *_TWO_AT, *_COPYING)
NUMBERS += (_SYMLINKAT,)


@dataclass(frozen=True, slots=True)
class Step:
    """`paths` are those of the machine, `target` is what a list of steps says."""

    call: str
    target: str
    paths: tuple[str, ...] = ()

    @property
    def is_bpf(self) -> bool:
        return self.call.startswith("bpf ")

    def __str__(self) -> str:
        return f"{self.call} {self.target}".rstrip()


# What differs from run to run: temporary names, PIDs, the numbers of the history.
_CHANGING = (
    (re.compile(r"(/\.[a-z]+-)(\d+-)?[a-z0-9_]{8}$"), r"\1*"),
    (re.compile(r"(/\.[a-z]+-)\d+-request$"), r"\1request"),
    (re.compile(r"^/proc/\d+(/task/\d+)?/"), "/proc/N/"),
    (re.compile(r"(/history/)\d+"), r"\1N"),
)


def normal(path: str, root: str) -> str:
    """A path as the lists of steps have it."""
    if root != "/":
        path = path.removeprefix(root.rstrip("/")) or "/"
    for pattern, text in _CHANGING:
        path = pattern.sub(text, path)
    return path


class Namer:
    """Calls of a child to steps; None for those that change nothing that outlives the child."""

    def __init__(self, root: str = "/", map_name: Callable[[int], str] | None = None) -> None:
        self._root, self._map_name = root, map_name or _no_name

    def step(self, call: Call) -> Step | None:
        if call.number == BPF:
            return self._bpf(call)
        found = _named(call)
        if found is None:
            return None
        name, paths = found
        if any(path.startswith(_ANONYMOUS) or "__pycache__" in path for path in paths):
            return None
        there = os.path.lexists(paths[0])
        if name in _NEEDS and there is not _NEEDS[name]:
            return None  # it will change nothing
        return Step(name, " ".join(normal(path, self._root) for path in paths), tuple(paths))

    def _bpf(self, call: Call) -> Step | None:
        command, attributes, size = call.arguments[:3]
        name = _BPF_COMMANDS.get(command)
        if name is None:
            return None
        data = call.memory(attributes, min(size, 128)).ljust(128, b"\0")
        match name:
            case "MAP_CREATE":
                target = _text(data, _MAP_NAME_AT)
            case "PROG_LOAD":
                target = _text(data, _PROG_NAME_AT)
            case "OBJ_PIN":
                target = normal(call.text(struct.unpack_from("Q", data)[0]), self._root)
            case "MAP_UPDATE_ELEM" | "MAP_DELETE_ELEM" | "MAP_FREEZE" | "LINK_CREATE":
                target = self._of_map(call, struct.unpack_from("I", data)[0])
            case "MAP_UPDATE_BATCH" | "MAP_DELETE_BATCH":
                target = self._of_map(call, struct.unpack_from("I", data, 36)[0])
            case _:
                target = ""
        return Step(f"bpf {name}", target)

    def _of_map(self, call: Call, descriptor: int) -> str:
        with open(f"/proc/{call.pid}/fdinfo/{descriptor}", encoding="utf-8") as file:
            found = re.search(r"^map_id:\s*(\d+)", file.read(), re.MULTILINE)
        return self._map_name(int(found[1])) if found else ""


def _named(call: Call) -> tuple[str, list[str]] | None:
    number, (a, b, c, d) = call.number, call.arguments[:4]
    if number in _BY_DESCRIPTOR:
        return _BY_DESCRIPTOR[number], [call.descriptor(a)]
    if number in _BY_PATH:
        return _BY_PATH[number], [_absolute(call, _AT_FDCWD, a)]
    if number in _BY_TWO_PATHS:
        return _BY_TWO_PATHS[number], [_absolute(call, _AT_FDCWD, place) for place in (a, b)]
    if number in (_OPEN, _OPENAT):
        folder, path, flags = (_AT_FDCWD, a, b) if number == _OPEN else (a, b, c)
        # a lock file that is there already is only opened
        name = _absolute(call, folder, path)
        creates = flags & _O_CREAT and not os.path.lexists(name)
        return ("create" if creates else "truncate", [name]) if creates or flags & _O_TRUNC else None
    if number in _AT:
        return _AT[number], [_absolute(call, a, b)]
    if number in _TWO_AT:
        return _TWO_AT[number], [_absolute(call, a, b), _absolute(call, c, d)]
    if number == _SYMLINKAT:
        return "symlink", [_absolute(call, _AT_FDCWD, a), _absolute(call, b, c)]
    return _COPYING[number], [call.descriptor(c if number == 326 else a)]


def _absolute(call: Call, folder: int, address: int) -> str:
    path = call.text(address)
    if path.startswith("/"):
        return path
    folder = ctypes.c_int(folder).value
    base = os.readlink(f"/proc/{call.pid}/cwd") if folder == _AT_FDCWD else call.descriptor(folder)
    return os.path.normpath(os.path.join(base, path))


def _text(data: bytes, at: int) -> str:
    return data[at : at + _NAME_BYTES].partition(b"\0")[0].decode(errors="replace")


def _no_name(identity: int) -> str:
    return ""


def map_name(identity: int) -> str:
    """Of a map of this kernel, by its number; asks libbpf, nothing of schedctl."""
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    descriptor = library.bpf_map_get_fd_by_id(identity)
    if descriptor < 0:
        return ""
    info, size = ctypes.create_string_buffer(_INFO_BYTES), ctypes.c_uint32(_INFO_BYTES)
    library.bpf_obj_get_info_by_fd(descriptor, info, ctypes.byref(size))
    os.close(descriptor)
    return _text(info.raw, _INFO_NAME_AT)


def counted(steps: Iterable[Step]) -> list[str]:
    """The list as it is kept: a step that repeats itself at once is one line with its number."""
    lines: list[list[object]] = []
    for step in map(str, steps):
        if lines and lines[-1][1] == step:
            lines[-1][0] = int(str(lines[-1][0])) + 1
        else:
            lines.append([1, step])
    return [f"{number} {step}" for number, step in lines]
