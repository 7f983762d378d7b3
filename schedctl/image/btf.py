# SPDX-License-Identifier: GPL-2.0-only
"""A small reader of BTF: the structs and enums of an ELF object's .BTF section (little-endian, 64-bit).

Format: Documentation/bpf/btf.rst of the kernel. Only what a comparison of layouts needs is kept.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

BTF_MAGIC = 0xEB9F

INT, PTR, ARRAY, STRUCT, UNION, ENUM = 1, 2, 3, 4, 5, 6
TYPEDEF, VOLATILE, CONST, RESTRICT = 8, 9, 10, 11
FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = 13, 14, 15, 16, 17, 18, 19
_TRANSPARENT = (TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG)
_SIZED = (INT, STRUCT, UNION, ENUM, FLOAT, ENUM64, DATASEC)


class BtfError(ValueError):
    """The file is no ELF object with readable BTF."""


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Struct:
    name: str
    size: int
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class _Type:
    kind: int
    name: str
    size_or_type: int
    kind_flag: bool
    extra: tuple[tuple[int, ...], ...]


class Btf:
    """The types of one .BTF section, looked up by name."""

    def __init__(self, data: bytes) -> None:
        try:
            magic, _, _, header_size, type_at, type_size, string_at, string_size = struct.unpack_from("<HBBIIIII", data)
        except struct.error as error:
            raise BtfError("its BTF is too short") from error
        if magic != BTF_MAGIC:
            raise BtfError("its BTF is not little-endian BTF")
        types = data[header_size + type_at : header_size + type_at + type_size]
        self._strings = data[header_size + string_at : header_size + string_at + string_size]
        try:
            self._types = [_Type(0, "", 0, False, ()), *self._read_types(types)]
        except struct.error as error:
            raise BtfError("its BTF is cut short") from error
        self._by_name = {(t.kind, t.name): t for t in reversed(self._types) if t.name}

    @classmethod
    def from_elf(cls, path: Path) -> Btf:
        return cls(elf_section(path.read_bytes(), ".BTF"))

    def struct(self, name: str) -> Struct | None:
        """The struct of that name with its members' offsets and sizes in bytes."""
        found = self._by_name.get((STRUCT, name))
        if found is None:
            return None
        members = tuple(
            Member(self._text(name_at), (bits & 0xFFFFFF if found.kind_flag else bits) // 8, self._size(type_id))
            for name_at, type_id, bits in found.extra
        )
        return Struct(name, found.size_or_type, members)

    def enum(self, name: str) -> dict[str, int] | None:
        """The enumerators of that enum; None where the object does not hold it."""
        found = self._by_name.get((ENUM, name))
        return None if found is None else {self._text(name_at): value for name_at, value in found.extra}

    def _read_types(self, data: bytes) -> list[_Type]:
        types: list[_Type] = []
        at = 0
        while at < len(data):
            name_at, info, size_or_type = struct.unpack_from("<III", data, at)
            kind, count, flag = info >> 24 & 0x1F, info & 0xFFFF, bool(info >> 31)
            at += 12
            layout, repeat = _extra_layout(kind, count)
            step = struct.calcsize(layout)
            extra = tuple(struct.unpack_from(layout, data, at + i * step) for i in range(repeat))
            at += step * repeat
            types.append(_Type(kind, self._text(name_at), size_or_type, flag, extra))
        return types

    def _text(self, at: int) -> str:
        return self._strings[at : self._strings.index(b"\0", at)].decode("utf-8", "replace")

    def _size(self, type_id: int) -> int:
        factor = 1
        while True:
            found = self._types[type_id]
            if found.kind == ARRAY:
                type_id, _, count = found.extra[0]
                factor *= count
            elif found.kind in _TRANSPARENT:
                type_id = found.size_or_type
            elif found.kind == PTR:
                return factor * 8
            elif found.kind in _SIZED:
                return factor * found.size_or_type
            else:
                raise BtfError(f"type {type_id} has no size")


@cache
def _extra_layout(kind: int, count: int) -> tuple[str, int]:
    """What follows a type's 12 bytes: the struct format of one record, and how many."""
    match kind:
        case 1 | 14 | 17:  # INT, VAR, DECL_TAG
            return "<I", 1
        case 3:  # ARRAY: element type, index type, number
            return "<III", 1
        case 4 | 5:  # STRUCT, UNION: name, type, offset in bits
            return "<III", count
        case 6:  # ENUM: name, value
            return "<Ii", count
        case 13:  # FUNC_PROTO
            return "<II", count
        case 15 | 19:  # DATASEC, ENUM64
            return "<III", count
        case _:
            return "<", 0


def elf_section(data: bytes, name: str) -> bytes:
    """The bytes of a section of a 64-bit little-endian ELF file."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise BtfError("it is not a 64-bit little-endian ELF object")
    try:
        (sections_at,) = struct.unpack_from("<Q", data, 0x28)
        entry_size, nr_sections, names_index = struct.unpack_from("<HHH", data, 0x3A)
        headers = [
            struct.unpack_from("<IIQQQQ", data, sections_at + index * entry_size) for index in range(nr_sections)
        ]
        names_at = headers[names_index][4]
        for name_offset, _, _, _, at, size in headers:
            start = names_at + name_offset
            if data[start : data.index(b"\0", start)] == name.encode():
                return data[at : at + size]
    except (struct.error, IndexError, ValueError) as error:
        raise BtfError("its section table is damaged") from error
    raise BtfError(f"it has no section {name}")
