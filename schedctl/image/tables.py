# SPDX-License-Identifier: GPL-2.0-only
"""A policy's tables of bpf/intf.h: rules, patterns and the hash index over anchors, and back."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from schedctl.glob import encoded, is_literal
from schedctl.image.index import (
    CGROUP_SUBJECTS,
    EQUAL,
    KEY_OF,
    MAX_PROBES,
    NR_TEXT_SUBJECTS,
    PATTERN_LEN,
    PREFIX,
    Anchor,
    Entry,
    Pattern,
    Subject,
    anchor_of_number,
    arrange,
)
from schedctl.image.model import ImageItem, ImageRule, PolicyImage

BUCKET = struct.Struct("<QII")
RULE = struct.Struct("<IIHHBBxx")
PATTERN = struct.Struct(f"<BBBBI{PATTERN_LEN}s")

_MASK = (1 << 64) - 1
_GOLDEN, _PRIME = 0x9E3779B97F4A7C15, 0x100000001B3
_NOTHING = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Tables:
    buckets: bytes
    rules: bytes
    patterns: bytes
    nr_rules: int
    nr_patterns: int
    nr_scanned: int
    subjects: int  # bit per Subject
    lengths: tuple[tuple[int, int], ...]  # per text subject: bits of prefix and suffix lengths


def build(image: PolicyImage, seed: int) -> Tables:
    """The tables; raises IndexLimitError."""
    entries, lengths = arrange(image.rules)
    class_ids = {cls.name: i for i, cls in enumerate(image.classes)}
    rules, patterns = bytearray(), bytearray()
    slices: dict[Anchor, list[int]] = {}
    nr_patterns = 0
    for number, entry in enumerate(entries):
        rule = image.rules[entry.rank]
        rules += RULE.pack(
            entry.rank,
            nr_patterns,
            len(entry.patterns),
            class_ids[rule.class_name],
            rule.trusted,
            _walks(entry),
        )
        nr_patterns += len(entry.patterns)
        for pattern in entry.patterns:
            patterns += _pack(pattern)
        if entry.anchor is not None:
            slices.setdefault(entry.anchor, [number, 0])[1] += 1
    for uid in image.realtime_uids:
        patterns += _pack(Pattern(Subject.REALTIME_UID, uid, 0, 0))
        slices[Subject.REALTIME_UID, EQUAL, anchor_of_number(uid)] = [_NOTHING, 1]
    subjects = {pattern.subject for entry in entries for pattern in entry.patterns}
    return Tables(
        _hash_table(slices, seed),
        bytes(rules),
        bytes(patterns),
        len(entries),
        nr_patterns + len(image.realtime_uids),
        sum(entry.anchor is None for entry in entries),
        sum(1 << subject for subject in subjects),
        tuple((_bits(prefix), _bits(suffix)) for prefix, suffix in lengths),
    )


def _pack(pattern: Pattern) -> bytes:
    """A text's value is its length."""
    subject, value, clause, group = pattern
    if isinstance(value, str):
        text = encoded(value)
        return PATTERN.pack(subject, not is_literal(value), clause, group, len(text), text)
    return PATTERN.pack(subject, 0, clause, group, value & _NOTHING, b"")


def _walks(entry: Entry) -> bool:
    """Whether it looks at the cgroup where its anchor does not bring that."""
    by_cgroup = entry.anchor is not None and entry.anchor[0] in CGROUP_SUBJECTS
    return any(p.subject in CGROUP_SUBJECTS and (p.group or not by_cgroup) for p in entry.patterns)


# --- the hash index ---------------------------------------------------------------------------------


def anchor_hash(seed: int, anchor: Anchor) -> int:
    """As anchor_hash_start() and _step() of bpf/sched_math.h; an equal text ends with a NUL."""
    subject, kind, data = anchor
    if kind == EQUAL and subject < NR_TEXT_SUBJECTS:
        kind, data = PREFIX, data + b"\0"
    value = seed ^ ((subject << 2 | kind) * _GOLDEN & _MASK)
    for byte in data:
        value = ((value ^ byte) * _PRIME) & _MASK
        value ^= value >> 29
    return value


def _hash_table(slices: dict[Anchor, list[int]], seed: int) -> bytes:
    """Twice the size until no look-up needs more than MAX_PROBES."""
    hashes = {anchor_hash(seed, anchor): where for anchor, where in slices.items()}
    if len(hashes) < len(slices):
        return _hash_table(slices, seed + 1)
    size = 16
    while size < 2 * len(hashes):
        size *= 2
    while (table := _place(hashes, size)) is None:
        size *= 2
    return table


def _place(hashes: dict[int, list[int]], size: int) -> bytes | None:
    taken: dict[int, int] = {}
    for value in hashes:
        for probe in range(MAX_PROBES):
            if (place := (value + probe) % size) not in taken:
                taken[place] = value
                break
        else:
            return None
    table = bytearray(BUCKET.size * size)
    for place, value in taken.items():
        BUCKET.pack_into(table, place * BUCKET.size, value, *hashes[value])
    return bytes(table)


def _bits(lengths: Iterable[int]) -> int:
    return sum(1 << length for length in lengths)


# --- and back ---------------------------------------------------------------------------------------


def read_rules(
    rules: bytes, patterns: bytes, class_names: Sequence[str]
) -> tuple[tuple[ImageRule, ...], tuple[int, ...]]:
    """(rules in rank order, realtime uids) of the tables; ValueError where they make no sense."""
    unpacked = [_unpack(fields) for fields in PATTERN.iter_unpack(patterns)]
    by_rank: dict[int, tuple[str, bool, dict[tuple[int, str], set[int | str]]]] = {}
    for rank, first, nr, class_id, trusted, _ in RULE.iter_unpack(rules):
        _, _, values = by_rank.setdefault(rank, (class_names[class_id], bool(trusted), {}))
        for pattern in unpacked[first : first + nr]:
            values.setdefault((pattern.group, KEY_OF[pattern.subject]), set()).add(pattern.value)
    found = tuple(_rule(*by_rank[rank]) for rank in sorted(by_rank))
    uids = (p.value for p in unpacked if p.subject is Subject.REALTIME_UID)
    return found, tuple(sorted(uid for uid in uids if isinstance(uid, int)))


def _unpack(fields: tuple[int, int, int, int, int, bytes]) -> Pattern:
    subject, _, clause, group, value, text = fields
    if subject < NR_TEXT_SUBJECTS:
        decoded = text[:value].decode(errors="surrogateescape")
        return Pattern(Subject(subject), decoded, clause, group)
    return Pattern(Subject(subject), value, clause, group)


def _rule(class_name: str, trusted: bool, values: dict[tuple[int, str], set[int | str]]) -> ImageRule:
    groups = max((group for group, _ in values), default=0)
    items = [_item({key: found for (g, key), found in values.items() if g == n}) for n in range(groups + 1)]
    return ImageRule(class_name, items[0], tuple(items[1:]), trusted)


def _item(found: dict[str, set[int | str]]) -> ImageItem:
    values: dict[str, Any] = {}
    for key, alternatives in found.items():
        first = next(iter(alternatives))
        if key == "nice" and isinstance(first, int):
            values[key] = tuple((half ^ 0x8000) - 0x8000 for half in (first & 0xFFFF, first >> 16))
        elif key in ("kthread", "leader"):
            values[key] = bool(first)
        elif key == "exe_owner":
            values[key] = first
        else:
            values[key] = tuple(sorted(alternatives, key=lambda value: (isinstance(value, str), value)))
    return ImageItem(**values)
