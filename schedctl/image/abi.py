# SPDX-License-Identifier: GPL-2.0-only
"""Python's view of bpf/intf.h: the structs, and the policy to bytes and back.

`check_object` holds every member against the object's own BTF, so that a layout that differs is an
error before anything is loaded, never a wrong value in the kernel.
"""

from __future__ import annotations

import ctypes
from ctypes import Structure, c_char, c_int16, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from struct import error as unpack_error
from typing import Any

from schedctl.errors import HostError, InternalError
from schedctl.image import index, tables
from schedctl.image.btf import Btf
from schedctl.image.model import ImageClass, PolicyImage
from schedctl.profile.model import Order, Overrun, Power, RateStep, Recovery, Tier

ABI_VERSION = 4
TASK_LAYOUT = 2
MAX_CLASSES = 256
NAME_LEN = 32
LATENCY_BUCKETS = 336
TARDINESS_BUCKETS = 256
NR_LEVELS = 8
MAX_RM_STEPS = 8
PERIOD_GAPS = 32
EVENT_RING_BYTES = 16384
EXIT_REASON_LEN = 128
EXIT_MSG_LEN = 1024
EXIT_DUMP_LEN = 32768
OBJECT_ID_LEN = 32
COMM_LEN = 16

ORDERS = (Order.EDF, Order.FIXED_PRIORITY)
TIERS = (Tier.REALTIME, Tier.FAIR, Tier.BACKGROUND)
OVERRUNS = (Overrun.THROTTLE, Overrun.POSTPONE, Overrun.DEMOTE, Overrun.IGNORE)
POWERS = (Power.BALANCED, Power.PERFORMANCE)
CLASS_MEASURED, CLASS_AUTO_LEVEL = 1, 2
EVERY_PERIOD_NS = 2**64 - 1


def _fields(kind: type[Any], names: str) -> list[tuple[str, type[Any]]]:
    """Members of one type."""
    return [(name, kind) for name in names.split()]


class RmStep(Structure):
    _fields_ = [("at_most_ns", c_uint64), ("level", c_uint32), ("pad", c_uint32)]


class PolicyClass(Structure):
    _fields_ = [
        ("name", c_char * NAME_LEN),
        *_fields(c_uint64, "period_ns deadline_ns runtime_ns slice_ns timer_slack_ns"),
        *_fields(c_uint64, "recovery_within_ns recovery_decay_ns"),
        ("rate_monotonic", RmStep * MAX_RM_STEPS),
        *_fields(c_uint32, "weight threads recovery_after flags"),
        *_fields(c_uint8, "tier level overrun max_level"),
        ("pad", c_uint8 * 4),
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
        *_fields(c_uint32, "fair_share_permille background_share_permille power"),
        *_fields(c_uint32, "nr_classes nr_rules nr_patterns nr_scanned bucket_mask subjects"),
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
        *_fields(c_uint64, "nr_wakeups nr_runs nr_preemptions runtime_ns nr_held_back nr_jobs nr_misses"),
        *_fields(c_uint64, "nr_overruns nr_throttled nr_postponed nr_demoted nr_ignored"),
        *_fields(c_uint64, "nr_over_population nr_lifted nr_releveled"),
        ("latency", c_uint32 * LATENCY_BUCKETS),
        ("tardiness", c_uint32 * TARDINESS_BUCKETS),
    ]


class SchedStats(Structure):
    _fields_ = [
        ("tier_ns", c_uint64 * len(TIERS)),
        *_fields(c_uint64, "kthread_ns nr_owed nr_overdue nr_classified nr_held_back nr_no_context"),
        *_fields(c_uint64, "nr_restricted nr_slot_taken nr_path_overflow nr_cpu_offline nr_cpu_online"),
        *_fields(c_uint64, "nr_timer_armed nr_timer_failed nr_unparked nr_drained nr_cpuperf"),
        *_fields(c_uint64, "nr_quota_changes nr_slack_changes nr_events nr_events_dropped"),
    ]


class TaskCtx(Structure):
    _fields_ = [
        *_fields(c_uint64, "key release_at vtime exec_ns slice_used_ns slice_ns"),
        ("weight", c_uint32),
        ("flags", c_uint16),
        *_fields(c_uint8, "tier level"),
        ("class_index", c_uint16),
        ("idle_cpu", c_int16),
        ("counted", c_uint32),
        *_fields(c_uint64, "woken_at queued_at abs_deadline_at job_deadline_at deadline_ns"),
        ("budget_ns", c_int64),
        *_fields(c_uint64, "runtime_ns replenish_at period_ns generation"),
        ("comm", c_uint64 * (COMM_LEN // 8)),
        *_fields(c_uint64, "cgroup_id task_group"),
        *_fields(c_uint32, "uid gid exec_id"),
        ("static_prio", c_int32),
        *_fields(c_uint32, "sched_policy weight_epoch domain"),
        ("layout", c_uint16),
        *_fields(c_uint8, "class_tier class_level"),
        *_fields(c_uint64, "miss_window_at quiet_since late_again_at"),
        ("nr_misses", c_uint32),
        *_fields(c_uint8, "recovery max_level overrun member"),
        ("member_generation", c_uint64),
        ("min_deadline", c_uint64 * NR_LEVELS),
        ("nr_donors", c_uint16 * NR_LEVELS),
        *_fields(c_uint64, "slack_ns slack_asked_ns"),
        *_fields(c_uint32, "vtime_tier pad"),
        ("reserved", c_uint64 * 5),
    ]


class PeriodCtx(Structure):
    _fields_ = [
        *_fields(c_uint64, "last_at nr_releases period_ns jitter_ns mean_ns agreed_at"),
        *_fields(c_uint32, "nr_agreed nr_failed nr_gaps"),
        ("confidence", c_uint16),
        *_fields(c_uint8, "lag pad"),
        ("gaps_ns", c_uint32 * PERIOD_GAPS),
    ]


class Control(Structure):
    _fields_ = [("listening", c_uint32), ("pad", c_uint32 * 15)]


class Event(Structure):
    _fields_ = [
        *_fields(c_uint64, "at_ns value generation"),
        *_fields(c_uint32, "kind class_id pid tid"),
        ("comm", c_char * COMM_LEN),
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


class ExitDump(Structure):
    _fields_ = [("text", c_char * EXIT_DUMP_LEN)]


class Identity(Structure):
    _fields_ = [
        *_fields(c_uint32, "abi_version task_layout task_size slack_at"),
        ("object_id", c_uint8 * OBJECT_ID_LEN),
    ]


STRUCTS: dict[str, type[Structure]] = {
    "rm_step": RmStep,
    "policy_class": PolicyClass,
    "policy_lengths": PolicyLengths,
    "policy": Policy,
    "policy_bucket": PolicyBucket,
    "policy_rule": PolicyRule,
    "policy_pattern": PolicyPattern,
    "class_stats": ClassStats,
    "sched_stats": SchedStats,
    "task_ctx": TaskCtx,
    "period_ctx": PeriodCtx,
    "event": Event,
    "control": Control,
    "exit_record": ExitRecord,
    "exit_dump": ExitDump,
    "identity": Identity,
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
    except (ValueError, IndexError, OverflowError, RecursionError, unpack_error):
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
    policy.background_share_permille = int(image.background_share * 1000)
    policy.power = POWERS.index(image.power)
    policy.nr_classes, policy.nr_rules = len(image.classes), built.nr_rules
    policy.nr_patterns, policy.nr_scanned = built.nr_patterns, built.nr_scanned
    policy.bucket_mask = len(built.buckets) // ctypes.sizeof(PolicyBucket) - 1
    policy.subjects = built.subjects
    for subject, (prefix, suffix) in enumerate(built.lengths):
        for word in range(index.PATTERN_LEN // 64):
            policy.lengths[subject].prefix[word] = prefix >> 64 * word & (1 << 64) - 1
            policy.lengths[subject].suffix[word] = suffix >> 64 * word & (1 << 64) - 1
    for i, cls in enumerate(image.classes):
        policy.classes[i] = _class_bytes(cls)
    return bytes(policy) + built.buckets + built.rules + built.patterns


# Members that are in the image under the same name.
_SAME = (
    *("period_ns", "deadline_ns", "runtime_ns", "slice_ns", "timer_slack_ns"),
    *("weight", "threads", "level", "max_level"),
)


def _class_bytes(cls: ImageClass) -> PolicyClass:
    raw = PolicyClass(**{name: getattr(cls, name) for name in _SAME})
    raw.name = cls.name.encode()
    raw.tier, raw.overrun = TIERS.index(cls.tier), OVERRUNS.index(cls.overrun)
    raw.flags = CLASS_MEASURED * cls.measured | CLASS_AUTO_LEVEL * bool(cls.rate_monotonic)
    if cls.recovery:
        raw.recovery_after = cls.recovery.after
        raw.recovery_within_ns, raw.recovery_decay_ns = cls.recovery.within_ns, cls.recovery.decay_ns
    for i, step in enumerate(cls.rate_monotonic):
        at_most_ns = EVERY_PERIOD_NS if step.at_most_ns is None else step.at_most_ns
        raw.rate_monotonic[i] = RmStep(at_most_ns, step.level)
    return raw


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


@dataclass(frozen=True, slots=True)
class Heading:
    """What a policy's head alone tells: its generation, and by number its classes' names and timer slack."""

    generation: int
    names: tuple[str, ...]
    slack_ns: tuple[int, ...]  # 0 = left alone


def heading_of(head: bytes) -> Heading:
    """ValueError where it is no head of ours."""
    if len(head) < HEAD_SIZE or version_of(head) != ABI_VERSION:
        raise ValueError(f"a policy of {len(head)} bytes, version {version_of(head)}")
    policy = Policy.from_buffer_copy(head)
    classes = policy.classes[: policy.nr_classes]
    names = tuple(cls.name.decode() for cls in classes)
    return Heading(policy.generation, names, tuple(cls.timer_slack_ns for cls in classes))


@lru_cache(1)  # what runs is looked at again and again
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
    return PolicyImage(
        policy.profile.decode(),
        ORDERS[policy.order],
        Fraction(policy.fair_share_permille, 1000),
        classes,
        found,
        uids,
        Fraction(policy.background_share_permille, 1000),
        POWERS[policy.power],
    )


def _class_from(raw: Any) -> ImageClass:
    steps = [step for step in raw.rate_monotonic if step.level]
    recovery = Recovery(raw.recovery_after, raw.recovery_within_ns, raw.recovery_decay_ns)
    return ImageClass(
        raw.name.decode(),
        TIERS[raw.tier],
        **{name: getattr(raw, name) for name in _SAME},
        overrun=OVERRUNS[raw.overrun],
        recovery=recovery if recovery.after else None,
        measured=bool(raw.flags & CLASS_MEASURED),
        rate_monotonic=tuple(
            RateStep(None if step.at_most_ns == EVERY_PERIOD_NS else step.at_most_ns, step.level)
            for step in steps
        ),
    )
