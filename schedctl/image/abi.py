# SPDX-License-Identifier: GPL-2.0-only
"""bpf/intf.h as Python sees it: limits, enums, struct layouts; the policy's bytes and back.

`check_object` compares all of it with the BTF of the scheduler's object, member by member.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_int64, c_uint8, c_uint16, c_uint32, c_uint64
from fractions import Fraction
from pathlib import Path

from schedctl.errors import HostError, InternalError
from schedctl.image.btf import Btf, BtfError
from schedctl.image.model import DEFAULT_CLASS, ImageClass, ImageRule, PolicyImage
from schedctl.profile.model import Order, Tier

ABI_VERSION = 1

MAX_CLASSES = 64
MAX_RULES = 512
MAX_CGROUPS = 64
NAME_LEN = 32
COMM_PATTERN_LEN = 32
CGROUP_PATTERN_LEN = 128
LATENCY_BUCKETS = 336
EXIT_REASON_LEN = 128
EXIT_MSG_LEN = 1024
NR_TIERS = 3

ORDERS = (Order.EDF, Order.FIXED_PRIORITY)
TIERS = (Tier.REALTIME, Tier.FAIR, Tier.BACKGROUND)
COMM_ANY, COMM_LITERAL, COMM_GLOB = 0, 1, 2
CGROUP_COMPONENT, CGROUP_PATH = 0, 1

ENUMS: dict[str, dict[str, int]] = {
    "policy_limits": {
        "MAX_CLASSES": MAX_CLASSES,
        "MAX_RULES": MAX_RULES,
        "MAX_CGROUPS": MAX_CGROUPS,
        "NAME_LEN": NAME_LEN,
        "COMM_PATTERN_LEN": COMM_PATTERN_LEN,
        "CGROUP_PATTERN_LEN": CGROUP_PATTERN_LEN,
        "LATENCY_BUCKETS": LATENCY_BUCKETS,
        "EXIT_REASON_LEN": EXIT_REASON_LEN,
        "EXIT_MSG_LEN": EXIT_MSG_LEN,
    },
    "policy_order": {"ORDER_EDF": 0, "ORDER_FIXED_PRIORITY": 1},
    "policy_tier": {"TIER_REALTIME": 0, "TIER_FAIR": 1, "TIER_BACKGROUND": 2, "NR_TIERS": NR_TIERS},
    "comm_kind": {"COMM_ANY": COMM_ANY, "COMM_LITERAL": COMM_LITERAL, "COMM_GLOB": COMM_GLOB},
    "cgroup_kind": {"CGROUP_COMPONENT": CGROUP_COMPONENT, "CGROUP_PATH": CGROUP_PATH},
}


class PolicyClassStruct(ctypes.LittleEndianStructure):
    _fields_ = (
        ("name", c_uint8 * NAME_LEN),
        ("period_ns", c_uint64),
        ("deadline_ns", c_uint64),
        ("weight", c_uint32),
        ("tier", c_uint8),
        ("level", c_uint8),
        ("pad", c_uint8 * 2),
    )


class PolicyRuleStruct(ctypes.LittleEndianStructure):
    _fields_ = (
        ("comm", c_uint8 * COMM_PATTERN_LEN),
        ("class_id", c_uint16),
        ("cgroup", c_uint16),
        ("comm_kind", c_uint8),
        ("pad", c_uint8 * 3),
    )


class PolicyCgroupStruct(ctypes.LittleEndianStructure):
    _fields_ = (("pattern", c_uint8 * CGROUP_PATTERN_LEN), ("kind", c_uint32), ("pad", c_uint32))


class PolicyStruct(ctypes.LittleEndianStructure):
    _fields_ = (
        ("abi_version", c_uint32),
        ("slot", c_uint32),
        ("generation", c_uint64),
        ("profile", c_uint8 * NAME_LEN),
        ("order", c_uint32),
        ("fair_share_permille", c_uint32),
        ("nr_classes", c_uint32),
        ("nr_rules", c_uint32),
        ("nr_cgroups", c_uint32),
        ("pad", c_uint32),
        ("classes", PolicyClassStruct * MAX_CLASSES),
        ("rules", PolicyRuleStruct * MAX_RULES),
        ("cgroups", PolicyCgroupStruct * MAX_CGROUPS),
    )


class ClassStatsStruct(ctypes.LittleEndianStructure):
    _fields_ = (
        ("nr_wakeups", c_uint64),
        ("nr_runs", c_uint64),
        ("nr_preemptions", c_uint64),
        ("runtime_ns", c_uint64),
        ("nr_held_back", c_uint64),
        ("latency", c_uint32 * LATENCY_BUCKETS),
    )


class SchedStatsStruct(ctypes.LittleEndianStructure):
    _fields_ = (
        ("tier_ns", c_uint64 * NR_TIERS),
        ("kthread_ns", c_uint64),
        ("nr_owed", c_uint64),
        ("nr_overdue", c_uint64),
        ("nr_classified", c_uint64),
        ("nr_held_back", c_uint64),
        ("nr_no_context", c_uint64),
        ("nr_restricted", c_uint64),
        ("nr_slot_taken", c_uint64),
        ("nr_cgroup_overflow", c_uint64),
        ("nr_cpu_offline", c_uint64),
        ("nr_cpu_online", c_uint64),
    )


class ExitRecordStruct(ctypes.LittleEndianStructure):
    _fields_ = (
        ("kind", c_uint32),
        ("pad", c_uint32),
        ("exit_code", c_int64),
        ("at_ns", c_uint64),
        ("reason", c_char * EXIT_REASON_LEN),
        ("msg", c_char * EXIT_MSG_LEN),
    )


STRUCTS: dict[str, type[ctypes.LittleEndianStructure]] = {
    "policy_class": PolicyClassStruct,
    "policy_rule": PolicyRuleStruct,
    "policy_cgroup": PolicyCgroupStruct,
    "policy": PolicyStruct,
    "class_stats": ClassStatsStruct,
    "sched_stats": SchedStatsStruct,
    "exit_record": ExitRecordStruct,
}
POLICY_SIZE = ctypes.sizeof(PolicyStruct)


def comm_kind(pattern: str | None) -> int:
    if pattern is None:
        return COMM_ANY
    return COMM_GLOB if any(c in pattern for c in "*?[") else COMM_LITERAL


def cgroup_patterns(image: PolicyImage) -> tuple[str, ...]:
    """The distinct cgroup patterns in the order of their first rule: one bit each in the kernel's cache."""
    return tuple(dict.fromkeys(r.cgroup for r in image.rules if r.cgroup is not None))


def encode(image: PolicyImage, slot: int, generation: int) -> bytes:
    """The image as the value of a policy slot; limits were checked by `compile_image`, here they are asserted."""
    patterns = cgroup_patterns(image)
    if len(image.classes) > MAX_CLASSES or len(image.rules) > MAX_RULES or len(patterns) > MAX_CGROUPS:
        raise InternalError("the image exceeds the limits of the kernel's tables")
    permille = image.fair_share * 1000
    if permille.denominator != 1:
        raise InternalError(f"the fair share {image.fair_share} is no multiple of 1/1000")
    policy = PolicyStruct(
        abi_version=ABI_VERSION,
        slot=slot,
        generation=generation,
        order=ORDERS.index(image.order),
        fair_share_permille=permille.numerator,
        nr_classes=len(image.classes),
        nr_rules=len(image.rules),
        nr_cgroups=len(patterns),
    )
    _store(policy.profile, image.profile)
    ids = {c.name: index for index, c in enumerate(image.classes)}
    for image_class, entry in zip(image.classes, policy.classes, strict=False):
        _store(entry.name, image_class.name)
        entry.period_ns, entry.deadline_ns = image_class.period_ns, image_class.deadline_ns
        entry.weight, entry.tier = image_class.weight, TIERS.index(image_class.tier)
        entry.level = image_class.level
    for rule, place in zip(image.rules, policy.rules, strict=False):
        _store(place.comm, rule.comm or "")
        place.class_id, place.comm_kind = ids[rule.class_name], comm_kind(rule.comm)
        place.cgroup = 0 if rule.cgroup is None else patterns.index(rule.cgroup) + 1
    for pattern, cgroup in zip(patterns, policy.cgroups, strict=False):
        _store(cgroup.pattern, pattern)
        cgroup.kind = CGROUP_PATH if "/" in pattern else CGROUP_COMPONENT
    return bytes(policy)


def decode(data: bytes) -> tuple[PolicyImage, int, int]:
    """A policy slot's value → (image, generation, slot); InternalError where nobody of ours wrote it."""
    if len(data) != POLICY_SIZE:
        raise InternalError(f"a policy slot has {len(data)} bytes, not {POLICY_SIZE}")
    policy = PolicyStruct.from_buffer_copy(data)
    if policy.abi_version != ABI_VERSION:
        raise InternalError(f"the policy slot has layout {policy.abi_version}, not {ABI_VERSION}")
    try:
        image = _decode(policy)
    except (IndexError, ValueError) as error:
        raise InternalError(f"the policy slot cannot be read: {error}") from error
    return image, policy.generation, policy.slot


def _decode(policy: PolicyStruct) -> PolicyImage:
    if policy.nr_classes > MAX_CLASSES or policy.nr_rules > MAX_RULES or policy.nr_cgroups > MAX_CGROUPS:
        raise ValueError("its counts exceed its tables")
    classes = tuple(
        ImageClass(_load(c.name), TIERS[c.tier], c.level, c.period_ns, c.deadline_ns, c.weight)
        for c in policy.classes[: policy.nr_classes]
    )
    if not classes or classes[0].name != DEFAULT_CLASS:
        raise ValueError(f'its first class is not "{DEFAULT_CLASS}"')
    patterns = (None, *(_load(c.pattern) for c in policy.cgroups[: policy.nr_cgroups]))
    rules = tuple(
        ImageRule(
            classes[r.class_id].name,
            None if r.comm_kind == COMM_ANY else _load(r.comm),
            patterns[r.cgroup],
        )
        for r in policy.rules[: policy.nr_rules]
    )
    share = Fraction(policy.fair_share_permille, 1000)
    return PolicyImage(_load(policy.profile), ORDERS[policy.order], share, classes, rules)


def slot_abi_version(data: bytes) -> int:
    """The layout version that a policy slot's value carries."""
    return int.from_bytes(data[:4], "little")


def slot_generation(data: bytes) -> int:
    """The generation that a policy slot's value carries; 0 = never written."""
    at: int = PolicyStruct.generation.offset
    return int.from_bytes(data[at : at + 8], "little")


def pattern_bytes(text: str) -> bytes:
    """A name or pattern as the kernel compares it."""
    return text.encode("utf-8", "surrogateescape")


def _store(field: ctypes.Array[c_uint8], text: str) -> None:
    data = pattern_bytes(text)
    if len(data) >= len(field) or 0 in data:
        raise InternalError(f"{text!r} does not fit into {len(field)} bytes")
    field[: len(data)] = list(data)


def _load(field: ctypes.Array[c_uint8]) -> str:
    return bytes(field).split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def check_object(path: Path) -> None:
    """Compare the object's BTF with this file: HostError without an object, InternalError on a difference."""
    try:
        btf = Btf.from_elf(path)
    except FileNotFoundError as error:
        raise HostError(
            f"the scheduler's object {path} is missing",
            hint="install schedctl, or run `make build` in a source checkout and set SCHEDCTL_BPF_DIR",
        ) from error
    except (OSError, BtfError) as error:
        raise HostError(f"cannot read the scheduler's object {path}: {error}", hint="install schedctl anew") from error
    if differences := layout_differences(btf):
        raise InternalError(
            f"{path} does not belong to this version of schedctl: {differences[0]}",
            hint="install the object and the Python package from the same build",
        )


def layout_differences(btf: Btf) -> list[str]:
    """Every member, size and enumerator that differs. Enums that no variable uses are absent from an object."""
    differences: list[str] = []
    for name, python in STRUCTS.items():
        found = btf.struct(name)
        if found is None:
            differences.append(f"struct {name} is missing")
            continue
        if found.size != ctypes.sizeof(python):
            differences.append(f"struct {name} has {found.size} bytes, here {ctypes.sizeof(python)}")
        theirs = [(m.name, m.offset, m.size) for m in found.members]
        fields = [field[0] for field in python._fields_]
        ours = [(f, getattr(python, f).offset, getattr(python, f).size) for f in fields]
        differences += [
            f"struct {name} has {their} where {our} is expected (name, offset, size)"
            for their, our in zip(theirs, ours, strict=False)
            if their != our
        ]
        if len(theirs) != len(ours):
            differences.append(f"struct {name} has {len(theirs)} members, here {len(ours)}")
    for name, values in ENUMS.items():
        enum = btf.enum(name)
        if enum is not None and enum != values:
            differences.append(f"enum {name} is {enum}, here {values}")
    return differences
