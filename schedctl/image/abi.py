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
from schedctl.image.btf import Btf
from schedctl.image.model import ImageClass, ImageRule, PolicyImage
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

ORDERS = (Order.EDF, Order.FIXED_PRIORITY)
TIERS = (Tier.REALTIME, Tier.FAIR, Tier.BACKGROUND)
COMM_ANY, COMM_LITERAL, COMM_GLOB = range(3)
CGROUP_COMPONENT, CGROUP_PATH = range(2)
_GLOB = frozenset("*?[")


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


class PolicyRule(Structure):
    _fields_ = [
        ("comm", c_char * COMM_PATTERN_LEN),
        ("class_id", c_uint16),
        ("cgroup", c_uint16),
        ("comm_kind", c_uint8),
        ("pad", c_uint8 * 3),
    ]


class PolicyCgroup(Structure):
    _fields_ = [("pattern", c_char * CGROUP_PATTERN_LEN), ("kind", c_uint32), ("pad", c_uint32)]


class Policy(Structure):
    _fields_ = [
        ("abi_version", c_uint32),
        ("slot", c_uint32),
        ("generation", c_uint64),
        ("profile", c_char * NAME_LEN),
        ("order", c_uint32),
        ("fair_share_permille", c_uint32),
        ("nr_classes", c_uint32),
        ("nr_rules", c_uint32),
        ("nr_cgroups", c_uint32),
        ("pad", c_uint32),
        ("classes", PolicyClass * MAX_CLASSES),
        ("rules", PolicyRule * MAX_RULES),
        ("cgroups", PolicyCgroup * MAX_CGROUPS),
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
        ("nr_cgroup_overflow", c_uint64),
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
    "policy_rule": PolicyRule,
    "policy_cgroup": PolicyCgroup,
    "policy": Policy,
    "class_stats": ClassStats,
    "sched_stats": SchedStats,
    "exit_record": ExitRecord,
}
POLICY_SIZE = ctypes.sizeof(Policy)


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


def encode(image: PolicyImage, slot: int, generation: int) -> bytes:
    """The bytes of `struct policy`; the image must have passed compile_image."""
    policy = Policy(abi_version=ABI_VERSION, slot=slot, generation=generation)
    policy.profile = image.profile.encode()
    policy.order = ORDERS.index(image.order)
    policy.fair_share_permille = int(image.fair_share * 1000)
    policy.nr_classes, policy.nr_rules = len(image.classes), len(image.rules)
    for i, cls in enumerate(image.classes):
        policy.classes[i] = PolicyClass(
            cls.name.encode(), cls.period_ns, cls.deadline_ns, cls.weight, TIERS.index(cls.tier), cls.level
        )
    ids = {cls.name: i for i, cls in enumerate(image.classes)}
    cgroups = distinct_cgroups(image)
    policy.nr_cgroups = len(cgroups)
    for i, pattern in enumerate(cgroups):
        kind = CGROUP_PATH if "/" in pattern else CGROUP_COMPONENT
        policy.cgroups[i] = PolicyCgroup(pattern.encode(), kind)
    for i, rule in enumerate(image.rules):
        cgroup = 0 if rule.cgroup is None else cgroups.index(rule.cgroup) + 1
        policy.rules[i] = PolicyRule(
            (rule.comm or "").encode(), ids[rule.class_name], cgroup, _comm_kind(rule.comm)
        )
    return bytes(policy)


def _comm_kind(comm: str | None) -> int:
    if comm is None:
        return COMM_ANY
    return COMM_GLOB if _GLOB & set(comm) else COMM_LITERAL


def distinct_cgroups(image: PolicyImage) -> list[str]:
    return list(dict.fromkeys(rule.cgroup for rule in image.rules if rule.cgroup is not None))


def version_of(data: bytes) -> int:
    """The layout's version of any `struct policy`, ours or not."""
    return int.from_bytes(data[:4], "little")


def generation_of(data: bytes) -> int:
    return int(Policy.from_buffer_copy(data).generation)


def decode(data: bytes) -> tuple[PolicyImage, int, int]:
    """(image, generation, slot) of `struct policy`; ValueError where the bytes are no policy of ours."""
    policy = Policy.from_buffer_copy(data)
    if policy.abi_version != ABI_VERSION or not policy.generation:
        raise ValueError(f"policy of version {policy.abi_version}, this is {ABI_VERSION}")
    try:
        return _image_from(policy), policy.generation, policy.slot
    except IndexError:
        raise ValueError("a number in the policy is out of range") from None


def _image_from(policy: Policy) -> PolicyImage:
    classes = tuple(_class_from(policy.classes[i]) for i in range(policy.nr_classes))
    cgroups = [policy.cgroups[i].pattern.decode() for i in range(policy.nr_cgroups)]
    rules = tuple(_rule_from(policy.rules[i], classes, cgroups) for i in range(policy.nr_rules))
    share = Fraction(policy.fair_share_permille, 1000)
    return PolicyImage(policy.profile.decode(), ORDERS[policy.order], share, classes, rules)


def _class_from(raw: Any) -> ImageClass:
    return ImageClass(
        raw.name.decode(), TIERS[raw.tier], raw.level, raw.period_ns, raw.deadline_ns, raw.weight
    )


def _rule_from(raw: Any, classes: tuple[ImageClass, ...], cgroups: list[str]) -> ImageRule:
    comm = None if raw.comm_kind == COMM_ANY else raw.comm.decode()
    return ImageRule(classes[raw.class_id].name, comm, cgroups[raw.cgroup - 1] if raw.cgroup else None)
