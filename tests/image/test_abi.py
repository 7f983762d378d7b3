# SPDX-License-Identifier: GPL-2.0-only
"""The policy's bytes: the layout of intf.h as a compiler sees it, the round trip, objects that differ."""

from __future__ import annotations

import ctypes
import re
import subprocess
from contextlib import suppress
from dataclasses import fields
from enum import Enum, IntEnum, IntFlag
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schedctl.errors import HostError, InternalError, SchedctlError
from schedctl.image import abi, index
from schedctl.image.abi import HEAD_SIZE, STRUCTS, check_object, decode, encode
from schedctl.image.model import ImageClass, PolicyImage
from schedctl.image.stats import (
    TARDINESS,
    ClassStats,
    ExitRecord,
    SchedStats,
    bucket_bounds,
    decode_class_stats,
    decode_exit_record,
    decode_sched_stats,
    encode_exit_record,
    quantile,
)
from schedctl.image.task import EventKind, TaskFlag
from schedctl.kernel.protocol import NR_SLOTS
from schedctl.profile.model import Order, Tier
from tests.sched.programs import ROOT
from tests.strategies import images

HEADER = ROOT / "bpf" / "intf.h"
CONSTANTS = (
    *("ABI_VERSION", "MAX_CLASSES", "NAME_LEN"),
    *("LATENCY_BUCKETS", "TARDINESS_BUCKETS", "NR_LEVELS", "MAX_RM_STEPS", "EVENT_RING_BYTES", "TASK_LAYOUT"),
    *("EXIT_REASON_LEN", "EXIT_MSG_LEN", "CLASS_MEASURED", "CLASS_AUTO_LEVEL"),
)
INDEX_CONSTANTS = (
    *("MAX_RULES", "MAX_PATTERNS", "MAX_RULE_PATTERNS", "MAX_BUCKET_RULES", "MAX_SCANNED", "MAX_LENGTHS"),
    *("MAX_PROBES", "PATTERN_LEN", "NR_TEXT_SUBJECTS"),
)
# Prefix of an enum's names -> Python's view, whose members are in the same order or have the same value.
ENUMS: dict[str, tuple[Enum, ...]] = {
    "ORDER": abi.ORDERS,
    "TIER": abi.TIERS,
    "OVERRUN": abi.OVERRUNS,
    "POWER": abi.POWERS,
}
NUMBERS: dict[str, type[IntEnum | IntFlag]] = {"TASK": TaskFlag, "EVENT": EventKind}
SUBJECTS = tuple(f"SUBJECT_{subject.name}" for subject in index.Subject)
PLAIN = PolicyImage("x", Order.EDF, Fraction(1, 10), (ImageClass("default", Tier.FAIR, 0, 0, 0, 100),), ())


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What gcc says of intf.h: constants, sizes, offsets and sizes of members."""
    names = [*CONSTANTS, *INDEX_CONSTANTS, *SUBJECTS, "ANCHOR_EQUAL", "ANCHOR_PREFIX", "ANCHOR_SUFFIX"]
    names += [f"{prefix}_{member.name}" for prefix, found in (ENUMS | NUMBERS).items() for member in found]
    for struct, python in STRUCTS.items():
        names.append(f"sizeof(struct {struct})")
        for field in python._fields_:
            names.append(f"offsetof(struct {struct}, {field[0]})")
            names.append(f"sizeof(((struct {struct} *)0)->{field[0]})")
    lines = [f'	printf("%ld\\n", (long)({name}));' for name in names]
    folder = tmp_path_factory.mktemp("facts")
    head = ["#include <stddef.h>", "#include <stdio.h>", '#include "intf.h"', "int main(void)", "{"]
    (folder / "facts.c").write_text("\n".join([*head, *lines, "}", ""]))
    subprocess.run(["gcc", f"-I{HEADER.parent}", "-o", folder / "facts", folder / "facts.c"], check=True)
    said = subprocess.run([folder / "facts"], check=True, capture_output=True, text=True).stdout
    return dict(zip(names, map(int, said.split()), strict=True))


def test_constants(facts: dict[str, int]) -> None:
    assert {name: getattr(abi, name) for name in CONSTANTS} == {name: facts[name] for name in CONSTANTS}
    assert {name: getattr(index, name) for name in INDEX_CONSTANTS} == {
        name: facts[name] for name in INDEX_CONSTANTS
    }
    assert [facts[name] for name in SUBJECTS] == list(index.Subject)
    anchors = [facts[f"ANCHOR_{name}"] for name in ("EQUAL", "PREFIX", "SUFFIX")]
    assert anchors == [index.EQUAL, index.PREFIX, index.SUFFIX]
    for prefix, members in ENUMS.items():
        assert [facts[f"{prefix}_{member.name}"] for member in members] == list(range(len(type(members[0]))))
    for prefix, numbers in NUMBERS.items():
        assert {facts[f"{prefix}_{number.name}"]: number for number in numbers} == {
            number.value: number for number in numbers
        }
        assert len(re.findall(rf"^\t{prefix}_[A-Z_]+ = (\d|1 << \d+),", HEADER.read_text(), re.M)) == len(
            numbers
        )


@pytest.mark.parametrize("struct", STRUCTS)
def test_layout(facts: dict[str, int], struct: str) -> None:
    python, end = STRUCTS[struct], 0
    assert ctypes.sizeof(python) == facts[f"sizeof(struct {struct})"]
    for field in python._fields_:
        ours = getattr(python, field[0])
        assert ours.offset == facts[f"offsetof(struct {struct}, {field[0]})"]
        assert ours.size == facts[f"sizeof(((struct {struct} *)0)->{field[0]})"]
        assert ours.offset == end, "no implicit padding"
        end = ours.offset + ours.size
    assert end == ctypes.sizeof(python)


@given(images, st.integers(0, NR_SLOTS - 1), st.integers(1, 2**64 - 1))
def test_what_is_encoded_is_decoded(image: PolicyImage, slot: int, generation: int) -> None:
    data = encode(image, slot, generation)
    assert len(data) == HEAD_SIZE + sum(abi.table_sizes(data))
    assert decode(data) == (image, generation, slot)
    assert abi.generation_of(data) == generation
    assert abi.version_of(data) == abi.ABI_VERSION


@given(images, images)
def test_bytes_are_equal_exactly_where_images_are(one: PolicyImage, two: PolicyImage) -> None:
    assert (encode(one, 0, 1) == encode(two, 0, 1)) == (one == two)


@given(st.data())
@example(None)
def test_bytes_that_are_no_policy(data: st.DataObject | None) -> None:
    head = encode(PLAIN, 0, 1)
    spoiled = bytearray(head)
    if data is None:
        spoiled[56:60] = b"\xff" * 4
    for _ in range(0 if data is None else 4):
        assert data is not None
        spoiled[data.draw(st.integers(0, 200))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(spoiled))
    except ValueError:
        return
    assert spoiled[:4] == head[:4]


@pytest.mark.parametrize("data", [b"", b"\x01", bytes(HEAD_SIZE), encode(PLAIN, 0, 1)[:-1]])
def test_too_few_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data)


# --- objects -------------------------------------------------------------------------------------


def compiled_object(folder: Path, header: str) -> Path:
    """A BPF object whose BTF has every struct of the header."""
    (folder / "intf.h").write_text(header)
    values = [f"struct {name} a_{name};" for name in STRUCTS if f"struct {name} {{" in header]
    (folder / "object.c").write_text("\n".join(['#include "intf.h"', *values, ""]))
    path = folder / "object.o"
    command = ["clang-19", "-target", "bpf", "-g", "-O2", f"-I{folder}", "-c", "-o", str(path)]
    # a host's stdint.h wants the host's bits: give the types themselves
    types = "-Du8=__UINT8_TYPE__ -Du16=__UINT16_TYPE__ -Du32=__UINT32_TYPE__ -Du64=__UINT64_TYPE__"
    types += " -Ds16=__INT16_TYPE__ -Ds32=__INT32_TYPE__ -Ds64=__INT64_TYPE__ -D__VMLINUX_H__"
    subprocess.run([*command, *types.split(), str(folder / "object.c")], check=True)
    return path


def test_an_object_of_this_header_passes(tmp_path: Path) -> None:
    check_object(compiled_object(tmp_path, HEADER.read_text()))


@pytest.mark.parametrize(
    ("struct", "edits"),
    [
        ("policy_class", {"u32 weight;": "u16 weight; u16 more;"}),
        ("policy_class", {"u8 level;": "u8 urgency;"}),
        ("policy_rule", {"u8 trusted;": "u8 XX;", "u8 walks;": "u8 trusted;", "XX": "walks"}),
        ("policy", {"MAX_CLASSES = 256": "MAX_CLASSES = 128"}),
        ("policy_bucket", {"policy_bucket ": "policy_slot "}),
        ("class_stats", {"LATENCY_BUCKETS = 336": "LATENCY_BUCKETS = 320"}),
        ("sched_stats", {"u64 nr_cpu_online;": "u64 nr_cpu_online; u64 nr_more;"}),
        ("task_ctx", {"u32 exec_id;": "u32 exec_seq;"}),
        ("event", {"u32 pid;": "u64 pid;"}),
        ("exit_record", {"s64 exit_code;": "u64 exited_at;"}),
    ],
)
def test_an_object_that_differs_is_named(tmp_path: Path, struct: str, edits: dict[str, str]) -> None:
    header = HEADER.read_text()
    for old, new in edits.items():
        assert old in header
        header = header.replace(old, new)
    path = compiled_object(tmp_path, header)
    with pytest.raises(InternalError) as caught:
        check_object(path)
    assert caught.value.message == f"{path}: struct {struct} differs from this version of schedctl"
    assert caught.value.hint


def test_a_missing_object_is_said(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="No such file"):
        check_object(tmp_path / "missing.o")


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x02", b"#!/bin/sh\n", b"\0" * 4096], ids=len)
def test_a_file_that_is_no_object_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "main.bpf.o").write_bytes(data)
    with pytest.raises(HostError) as caught:
        check_object(tmp_path / "main.bpf.o")
    assert caught.value.message == f"{tmp_path / 'main.bpf.o'} is no BPF object of schedctl"
    assert caught.value.hint == "run `make build`, or install the package again"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return compiled_object(tmp_path_factory.mktemp("object"), HEADER.read_text()).read_bytes()


def test_a_truncated_object_is_said(tmp_path: Path, whole: bytes) -> None:
    for length in range(0, len(whole) - 64, 97):  # libbpf itself reads the end of the last header
        (tmp_path / "main.bpf.o").write_bytes(whole[:length])
        with pytest.raises(HostError):
            check_object(tmp_path / "main.bpf.o")


def test_an_object_whose_sections_lie_beyond_all_memory_is_said(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "main.bpf.o"
    path.write_bytes(whole[:40] + b"\xff" * 8 + whole[48:])
    with pytest.raises(HostError, match="is no BPF object"):
        check_object(path)


@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_damaged_object_passes_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, place: float, byte: int
) -> None:
    data, path = bytearray(whole), tmp_path_factory.getbasetemp() / "damaged.o"
    data[int(place * len(data))] = byte
    path.write_bytes(data)
    with suppress(SchedctlError):
        check_object(path)


# --- statistics ----------------------------------------------------------------------------------

counts = st.integers(0, 2**32 - 1)


@given(st.lists(st.tuples(counts, counts, st.integers(0, abi.LATENCY_BUCKETS - 1)), min_size=1, max_size=4))
def test_statistics_are_summed_over_the_cpus(cpus: list[tuple[int, int, int]]) -> None:
    values = []
    for runs, wakeups, bucket in cpus:
        value = abi.ClassStats(nr_runs=runs, runtime_ns=runs + 1)
        value.latency[bucket] = wakeups
        value.tardiness[min(bucket, abi.TARDINESS_BUCKETS - 1)] = runs
        values.append(bytes(value))
    stats = decode_class_stats(values)
    assert stats.nr_runs == sum(runs for runs, _, _ in cpus)
    assert stats.runtime_ns == stats.nr_runs + len(cpus)
    assert sum(stats.latency) == sum(wakeups for _, wakeups, _ in cpus)
    latency = stats.wakeup()
    if latency is None:
        assert not any(wakeups for _, wakeups, _ in cpus)
    else:
        assert latency.max == bucket_bounds(max(bucket for _, wakeups, bucket in cpus if wakeups))
        assert latency.p50[0] <= latency.p99[0] <= latency.p999[0] <= latency.max[0]
    late = stats.late()
    assert (late is None) == (not stats.nr_runs)
    if late is not None:
        assert late.max[0] in {bucket_bounds(bucket, TARDINESS)[0] for bucket in range(abi.TARDINESS_BUCKETS)}
    totals = decode_sched_stats([bytes(abi.SchedStats((runs, 1, 2), 3)) for runs, _, _ in cpus])
    assert totals.tier_ns == (stats.nr_runs, len(cpus), 2 * len(cpus))
    assert (totals.kthread_ns, totals.nr_cpu_online) == (3 * len(cpus), 0)


def test_every_counter_is_decoded() -> None:
    raw = abi.SchedStats.from_buffer_copy(
        b"".join(i.to_bytes(8, "little") for i in range(ctypes.sizeof(abi.SchedStats) // 8))
    )
    stats = decode_sched_stats([bytes(raw)])
    assert [getattr(stats, field.name) for field in fields(SchedStats)] == [
        (0, 1, 2),
        *range(3, ctypes.sizeof(abi.SchedStats) // 8),
    ]
    assert ClassStats() == decode_class_stats([bytes(abi.ClassStats())])
    scalars = [field[0] for field in abi.ClassStats._fields_ if field[0] not in ("latency", "tardiness")]
    for i, name in enumerate(scalars):
        assert getattr(decode_class_stats([bytes(abi.ClassStats(**{name: i + 1}))]), name) == i + 1


@given(
    st.lists(st.integers(0, abi.LATENCY_BUCKETS - 1), min_size=1, max_size=50),
    st.integers(1, 1000).map(lambda permille: Fraction(permille, 1000)),
)
def test_a_quantile_is_that_of_the_sorted_values(buckets: list[int], share: Fraction) -> None:
    latency = [buckets.count(bucket) for bucket in range(abi.LATENCY_BUCKETS)]
    rank = -(-share * len(buckets) // 1)
    assert quantile(latency, share) == bucket_bounds(sorted(buckets)[int(rank) - 1])


def test_a_quantile_of_nothing_is_a_bug() -> None:
    with pytest.raises(InternalError):
        quantile([0] * abi.LATENCY_BUCKETS, Fraction(1, 2))


@given(st.builds(ExitRecord, counts, st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1)))
def test_an_exit_record(record: ExitRecord) -> None:
    assert decode_exit_record(encode_exit_record(record)) == record
    full = ExitRecord(1026, reason="r" * abi.EXIT_REASON_LEN, msg="m" * abi.EXIT_MSG_LEN)
    assert decode_exit_record(encode_exit_record(full)) == full
