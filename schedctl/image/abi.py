# SPDX-License-Identifier: GPL-2.0-only
"""Python's view of bpf/intf.h: the structs, and the policy to bytes and back.

`check_object` holds every member against the object's own BTF, so that a layout that differs is an
error before anything is loaded, never a wrong value in the kernel.
"""

from __future__ import annotations

import ctypes
from ctypes import Structure, c_char, c_int64, c_uint8, c_uint16, c_uint32, c_uint64
from fractions import Fraction
from pathlib import Path
from struct import error as unpack_error
from typing import Any

from schedctl.errors import HostError, InternalError
from schedctl.image import index, tables
from schedctl.image.btf import Btf
from schedctl.image.model import ImageClass, PolicyImage
from schedctl.profile.model import Order, Tier

ABI_VERSION = 2
MAX_CLASSES = 256
NAME_LEN = 32
LATENCY_BUCKETS = 336
EXIT_REASON_LEN = 128
EXIT_MSG_LEN = 1024

ORDERS = (Order.EDF, Order.FIXED_PRIORITY)
TIERS = (Tier.REALTIME, Tier.FAIR, Tier.BACKGROUND)


class PolicyClass(Structure):
    _fields_ = [
        ("name", c_char * NAME_LEN),
        ("period_ns", c_uint64),
        ("deadline_ns", c_uint64),
        ("weight", c_uint32),
        ("tier", c_uint8),
        ("level", c_uint8),
        ("pad", c_uint8 * 2),
    ]


class PolicyLengths(Structure):
    _fields_ = [
        ("prefix", c_uint64 * (index.PATTERN_LEN // 64)),
        ("suffix", c_uint64 * (index.PATTERN_LEN // 64)),
    ]


class Policy(Structure):
    _fields_ = [
        ("abi_version", c_uint32),
        ("slot", c_uint32),
        ("generation", c_uint64),
        ("seed", c_uint64),
        ("profile", c_char * NAME_LEN),
        ("order", c_uint32),
        ("fair_share_permille", c_uint32),
        ("nr_classes", c_uint32),
        ("nr_rules", c_uint32),
        ("nr_patterns", c_uint32),
        ("nr_scanned", c_uint32),
        ("bucket_mask", c_uint32),
        ("subjects", c_uint32),
        ("lengths", PolicyLengths * index.NR_TEXT_SUBJECTS),
        ("classes", PolicyClass * MAX_CLASSES),
    ]


class PolicyBucket(Structure):
    _fields_ = [("hash", c_uint64), ("first", c_uint32), ("nr", c_uint32)]


class PolicyRule(Structure):
    _fields_ = [
        ("rank", c_uint32),
        ("first", c_uint32),
        ("nr", c_uint16),
        ("class_id", c_uint16),
        ("trusted", c_uint8),
        ("walks", c_uint8),
        ("pad", c_uint8 * 2),
    ]


class PolicyPattern(Structure):
    _fields_ = [
        ("subject", c_uint8),
        ("is_glob", c_uint8),
        ("clause", c_uint8),
        ("group", c_uint8),
        ("value", c_uint32),
        ("text", c_char * index.PATTERN_LEN),
    ]


class ClassStats(Structure):
    _fields_ = [
        ("nr_wakeups", c_uint64),
        ("nr_runs", c_uint64),
        ("nr_preemptions", c_uint64),
        ("runtime_ns", c_uint64),
        ("nr_held_back", c_uint64),
        ("latency", c_uint32 * LATENCY_BUCKETS),
    ]


class SchedStats(Structure):
    _fields_ = [
        ("tier_ns", c_uint64 * 3),
        ("kthread_ns", c_uint64),
        ("nr_owed", c_uint64),
        ("nr_overdue", c_uint64),
        ("nr_classified", c_uint64),
        ("nr_held_back", c_uint64),
        ("nr_no_context", c_uint64),
        ("nr_restricted", c_uint64),
        ("nr_slot_taken", c_uint64),
        ("nr_path_overflow", c_uint64),
        ("nr_cpu_offline", c_uint64),
        ("nr_cpu_online", c_uint64),
    ]


class ExitRecord(Structure):
    _fields_ = [
        ("kind", c_uint32),
        ("pad", c_uint32),
        ("exit_code", c_int64),
        ("at_ns", c_uint64),
        ("reason", c_char * EXIT_REASON_LEN),
        ("msg", c_char * EXIT_MSG_LEN),
    ]


STRUCTS: dict[str, type[Structure]] = {
    "policy_class": PolicyClass,
    "policy_lengths": PolicyLengths,
    "policy": Policy,
    "policy_bucket": PolicyBucket,
    "policy_rule": PolicyRule,
    "policy_pattern": PolicyPattern,
    "class_stats": ClassStats,
    "sched_stats": SchedStats,
    "exit_record": ExitRecord,
}
HEAD_SIZE = ctypes.sizeof(Policy)
TABLES = (PolicyBucket, PolicyRule, PolicyPattern)
"""The elements of the tables that follow a policy's head, in this order."""


def check_object(path: Path) -> None:
    """Compare every struct with the object's BTF; HostError without a readable object."""
    hint = "run `make build`, or install the package again"
    try:
        btf = Btf.from_object(path)
        found = {name: btf.struct(name) for name in STRUCTS}
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}", hint) from None
    except (ValueError, IndexError, RecursionError, unpack_error):
        raise HostError(f"{path} is no BPF object of schedctl", hint) from None
    for name, struct in STRUCTS.items():
        theirs = found[name]
        ours = {
            field[0]: (getattr(struct, field[0]).offset, getattr(struct, field[0]).size)
            for field in struct._fields_
        }
        if theirs is None or theirs.size != ctypes.sizeof(struct) or theirs.members != ours:
            raise InternalError(
                f"{path}: struct {name} differs from this version of schedctl", "install both anew"
            )


def encode(image: PolicyImage, slot: int, generation: int, seed: int = 0) -> bytes:
    """A policy's bytes: struct policy, then its tables. The image must have passed compile_image."""
    built = tables.build(image, seed)
    policy = Policy(abi_version=ABI_VERSION, slot=slot, generation=generation, seed=seed)
    policy.profile = image.profile.encode()
    policy.order = ORDERS.index(image.order)
    policy.fair_share_permille = int(image.fair_share * 1000)
    policy.nr_classes, policy.nr_rules = len(image.classes), built.nr_rules
    policy.nr_patterns, policy.nr_scanned = built.nr_patterns, built.nr_scanned
    policy.bucket_mask = len(built.buckets) // ctypes.sizeof(PolicyBucket) - 1
    policy.subjects = built.subjects
    for subject, (prefix, suffix) in enumerate(built.lengths):
        for word in range(index.PATTERN_LEN // 64):
            policy.lengths[subject].prefix[word] = prefix >> 64 * word & (1 << 64) - 1
            policy.lengths[subject].suffix[word] = suffix >> 64 * word & (1 << 64) - 1
    for i, cls in enumerate(image.classes):
        policy.classes[i] = PolicyClass(
            cls.name.encode(), cls.period_ns, cls.deadline_ns, cls.weight, TIERS.index(cls.tier), cls.level
        )
    return bytes(policy) + built.buckets + built.rules + built.patterns


def table_sizes(head: bytes) -> tuple[int, ...]:
    """How many bytes each of TABLES has."""
    policy = Policy.from_buffer_copy(head)
    lengths = (policy.bucket_mask + 1, policy.nr_rules, policy.nr_patterns)
    return tuple(n * ctypes.sizeof(element) for n, element in zip(lengths, TABLES, strict=True))


def split(data: bytes) -> tuple[bytes, ...]:
    """(head, buckets, rules, patterns) of a policy's bytes; ValueError where the size is wrong."""
    parts, at = [data[:HEAD_SIZE]], HEAD_SIZE
    if len(data) < HEAD_SIZE:
        raise ValueError(f"a policy of {len(data)} bytes")
    for size in table_sizes(data):
        parts.append(data[at : at + size])
        at += size
    if at != len(data):
        raise ValueError(f"a policy of {len(data)} bytes, its head says {at}")
    return tuple(parts)


def version_of(data: bytes) -> int:
    """The layout's version of any `struct policy`, ours or not."""
    return int.from_bytes(data[:4], "little")


def generation_of(data: bytes) -> int:
    return int(Policy.from_buffer_copy(data).generation)


def decode(data: bytes) -> tuple[PolicyImage, int, int]:
    """(image, generation, slot) of a policy's bytes; ValueError where they are no policy of ours."""
    policy = Policy.from_buffer_copy(data)
    if policy.abi_version != ABI_VERSION or not policy.generation:
        raise ValueError(f"policy of version {policy.abi_version}, this is {ABI_VERSION}")
    try:
        return _image_from(policy, data), policy.generation, policy.slot
    except (LookupError, TypeError, unpack_error):
        raise ValueError("a number in the policy is out of range") from None


def _image_from(policy: Policy, data: bytes) -> PolicyImage:
    _, _, rules, patterns = split(data)
    classes = tuple(_class_from(policy.classes[i]) for i in range(policy.nr_classes))
    found, uids = tables.read_rules(rules, patterns, [cls.name for cls in classes])
    share = Fraction(policy.fair_share_permille, 1000)
    return PolicyImage(policy.profile.decode(), ORDERS[policy.order], share, classes, found, uids)


def _class_from(raw: Any) -> ImageClass:
    return ImageClass(
        raw.name.decode(), TIERS[raw.tier], raw.level, raw.period_ns, raw.deadline_ns, raw.weight
    )
