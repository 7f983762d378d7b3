# SPDX-License-Identifier: GPL-2.0-only
"""A thread's context and an event: their bytes, and where the hot members lie in the object itself."""

from __future__ import annotations

import ctypes
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedctl.image import abi
from schedctl.image.btf import Btf
from schedctl.image.task import (
    EventKind,
    MeasuredPeriod,
    Rhythm,
    TaskFlag,
    decode_event,
    decode_period,
    decode_task,
)
from schedctl.profile.model import Overrun, Tier
from tests.sched.programs import ROOT

OBJECT = ROOT / "build" / "bpf" / "main.bpf.o"
LINE = 64
# struct bpf_local_storage_data: the kernel's own, at the start of a line
BEFORE = 8
MEMBERS = [name for name, *_ in abi.TaskCtx._fields_]
HOT = MEMBERS[: MEMBERS.index("class_index")]
JOB = MEMBERS[MEMBERS.index("class_index") : MEMBERS.index("runtime_ns") + 1]


def test_each_part_of_a_context_has_its_cache_line() -> None:
    found = Btf.from_object(OBJECT).struct("task_ctx")
    assert found is not None
    assert {"key", "vtime", "tier", "level", "flags"} <= set(HOT)
    assert {"abs_deadline_at", "job_deadline_at", "budget_ns", "runtime_ns"} <= set(JOB)
    for line, members in enumerate((HOT, JOB)):
        for name in members:
            offset, size = found.members[name]
            assert line * LINE <= BEFORE + offset <= (line + 1) * LINE - size, name
    assert found.size % 8 == 0
    assert "reserved" in found.members


@given(st.data())
def test_a_context(data: st.DataObject) -> None:
    raw = abi.TaskCtx.from_buffer_copy(data.draw(st.binary(min_size=SIZE, max_size=SIZE)))
    raw.layout = abi.TASK_LAYOUT
    raw.tier, raw.class_tier, raw.overrun = (data.draw(st.integers(0, 2)) for _ in range(3))
    task = decode_task(bytes(raw))
    for name, *_ in abi.TaskCtx._fields_:
        if name not in (
            "comm",
            "layout",
            "counted",
            "vtime_tier",
            "pad",
            "reserved",
            "tier",
            "class_tier",
            "overrun",
            "member",
        ):
            theirs = getattr(raw, name)
            assert getattr(task, name) == (tuple(theirs) if isinstance(theirs, ctypes.Array) else theirs)
    assert task.tier is abi.TIERS[raw.tier]
    assert task.overrun is abi.OVERRUNS[raw.overrun]
    assert task.slot * abi.MAX_CLASSES + task.class_id == task.class_index


SIZE = ctypes.sizeof(abi.TaskCtx)


def test_words_of_a_context() -> None:
    raw = abi.TaskCtx(layout=abi.TASK_LAYOUT, class_index=abi.MAX_CLASSES + 3, flags=0b10001, budget_ns=-5)
    raw.comm[0] = int.from_bytes(b"game\0x", "little")
    raw.tier, raw.overrun, raw.member = 1, 2, 1
    task = decode_task(bytes(raw))
    assert (task.comm, task.slot, task.class_id, task.budget_ns) == (b"game", 1, 3, -5)
    assert (task.tier, task.overrun, task.member) == (Tier.FAIR, Overrun.DEMOTE, True)
    assert task.flags == TaskFlag.FIXED_PRIORITY | TaskFlag.OVERDUE


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "a thread's context of 0 bytes"),
        (bytes(SIZE), "a thread's context of layout 0, this is 2"),
        (
            bytes(abi.TaskCtx(layout=abi.TASK_LAYOUT, tier=3)),
            "a number in the thread's context is out of range",
        ),
    ],
)
def test_no_context(raw: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_task(raw)


def test_an_event() -> None:
    event = decode_event(bytes(abi.Event(1, 2, 3, 5, 4, 10, 11, b"game")))
    assert (event.at_ns, event.value, event.generation) == (1, 2, 3)
    assert (event.kind, event.class_id, event.pid, event.tid, event.comm) == (
        EventKind.QUOTA,
        4,
        10,
        11,
        b"game",
    )
    for spoiled in (b"", bytes(abi.Event(kind=7)), bytes(abi.Event())):
        with pytest.raises(ValueError):
            decode_event(spoiled)


def test_what_was_measured_of_a_thread() -> None:
    known = abi.PeriodCtx(
        nr_releases=50, period_ns=16_667_000, jitter_ns=9, confidence=958, lag=2, nr_gaps=49
    )
    assert decode_period(bytes(known)) == MeasuredPeriod(
        Rhythm.PERIODIC, 50, 16_667_000, 9, Fraction(479, 500), 2
    )
    for nr_gaps, nr_agreed, rhythm in (
        (0, 0, Rhythm.MEASURING),
        (abi.PERIOD_GAPS - 1, 0, Rhythm.MEASURING),
        (abi.PERIOD_GAPS, 1, Rhythm.MEASURING),
        (abi.PERIOD_GAPS, 0, Rhythm.APERIODIC),
    ):
        found = decode_period(
            bytes(abi.PeriodCtx(nr_releases=40, nr_gaps=nr_gaps, nr_agreed=nr_agreed, lag=1))
        )
        assert found == MeasuredPeriod(rhythm, 40, 0, 0, Fraction(0), 0)
    with pytest.raises(ValueError, match="a measured period of 3 bytes"):
        decode_period(b"abc")
