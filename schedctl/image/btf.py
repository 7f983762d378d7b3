# SPDX-License-Identifier: GPL-2.0-only
"""The types of a BPF object: a reader of its ELF section .BTF (Documentation/bpf/btf.rst)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_KIND_INT, _KIND_ARRAY, _KIND_STRUCT, _KIND_UNION, _KIND_ENUM = 1, 3, 4, 5, 6
_KIND_FUNC_PROTO, _KIND_VAR, _KIND_DATASEC, _KIND_DECL_TAG, _KIND_ENUM64 = 13, 14, 15, 17, 19
# bytes behind the common header: fixed, and per element of vlen
_FIXED = {_KIND_INT: 4, _KIND_ARRAY: 12, _KIND_VAR: 4, _KIND_DECL_TAG: 4}
_EACH = {
    _KIND_STRUCT: 12,
    _KIND_UNION: 12,
    _KIND_ENUM: 8,
    _KIND_FUNC_PROTO: 8,
    _KIND_DATASEC: 12,
    _KIND_ENUM64: 12,
}
_POINTER, _SIZED = 2, (_KIND_INT, _KIND_STRUCT, _KIND_UNION, _KIND_ENUM, _KIND_ENUM64)


@dataclass(frozen=True, slots=True)
class StructType:
    size: int
    members: dict[str, tuple[int, int]]  # name -> (offset, size) in bytes


@dataclass(frozen=True, slots=True)
class _Type:
    name: str
    kind: int
    vlen: int
    size_or_type: int
    data: bytes


class Btf:
    def __init__(self, section: bytes) -> None:
        magic, _, _, header, type_off, type_len, str_off, str_len = struct.unpack_from("<HBBIIIII", section)
        if magic != 0xEB9F:
            raise ValueError("not BTF")
        self._strings = section[header + str_off : header + str_off + str_len]
        self._types: list[_Type] = [_Type("void", 0, 0, 0, b"")]
        data, pos = section[header + type_off : header + type_off + type_len], 0
        while pos < len(data):
            name, info, size = struct.unpack_from("<III", data, pos)
            kind, vlen = info >> 24 & 0x1F, info & 0xFFFF
            length = _FIXED.get(kind, 0) + _EACH.get(kind, 0) * vlen
            self._types.append(
                _Type(self._string(name), kind, vlen, size, data[pos + 12 : pos + 12 + length])
            )
            pos += 12 + length

    @classmethod
    def from_object(cls, path: Path) -> Btf:
        """Raises OSError without the file, ValueError where it is no ELF object with BTF."""
        data = path.read_bytes()
        if data[:5] != b"\x7fELF\x02":
            raise ValueError(f"{path} is no 64-bit ELF object")
        (table,) = struct.unpack_from("<Q", data, 40)
        entry, count, names = struct.unpack_from("<HHH", data, 58)
        sections = [struct.unpack_from("<IIQQQQ", data, table + i * entry) for i in range(count)]
        strings = sections[names][4]
        for name, _, _, _, offset, size in sections:
            start = strings + name
            if data[start : data.index(b"\0", start)] == b".BTF":
                return cls(data[offset : offset + size])
        raise ValueError(f"{path} has no BTF")

    def _string(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(b"\0", offset)].decode()

    def _size(self, index: int) -> int:
        found = self._types[index]
        if found.kind in _SIZED:
            return found.size_or_type
        if found.kind == _POINTER:
            return 8
        if found.kind == _KIND_ARRAY:
            element, _, count = struct.unpack("<III", found.data)
            return int(count) * self._size(element)
        return self._size(found.size_or_type) if index else 0

    def struct(self, name: str) -> StructType | None:
        """Size and members of `struct name`, or None."""
        for found in self._types:
            if found.kind == _KIND_STRUCT and found.name == name:
                members = {}
                for i in range(found.vlen):
                    member, index, offset = struct.unpack_from("<III", found.data, 12 * i)
                    members[self._string(member)] = ((offset & 0xFFFFFF) // 8, self._size(index))
                return StructType(found.size_or_type, members)
        return None
