# SPDX-License-Identifier: GPL-2.0-only
"""status: every figure of a class in the document, and a table that fits a terminal."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from schedctl.image import abi
from schedctl.image.stats import ClassStats
from schedctl.kernel import real
from tests.cli.conftest import Run
from tests.cli.output import checked
from tests.kernel.fake import FakeKernel, context

LONGEST = "n" * (abi.NAME_LEN - 1)
PROFILE = f"""\
schedctl: 1
name: wide
classes:
  game: {{match: [{{comm: game}}], level: 6}}
  {LONGEST}: {{match: [{{comm: n}}], tier: background}}
"""


@pytest.fixture
def attached(run: Run, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, FakeKernel]:
    kernel = FakeKernel()
    monkeypatch.setattr(real, "RealKernel", lambda: kernel)
    assert run("apply", "-", stdin=PROFILE)[0] == 0
    return run, kernel


def histogram(size: int, *buckets: int) -> tuple[int, ...]:
    return tuple(buckets.count(bucket) for bucket in range(size))


def test_every_figure_of_a_class(attached: tuple[Run, FakeKernel]) -> None:
    run, kernel = attached
    kernel.threads = {7: context(1), 8: context(1, generation=9)}
    names = "wakeups runs preemptions held_back jobs misses overruns throttled postponed demoted ignored"
    keys = [*names.split(), "over_population", "lifted", "releveled"]
    counts = {f"nr_{key}": number for number, key in enumerate(keys, 1)}
    kernel.stats[0] = ClassStats(
        **counts,
        runtime_ns=99,
        latency=histogram(abi.LATENCY_BUCKETS, 3),
        tardiness=histogram(abi.TARDINESS_BUCKETS, 2, 17),
    )
    document = checked("status", run("status", "--json")[1])
    found = document["classes"]["game"]
    assert {key: found[key] for key in keys} == {key: number for number, key in enumerate(keys, 1)}
    assert found["runtime_ns"] == 99
    assert found["wakeup_ns"]["max"] == [192, 256]
    assert found["tardiness_ns"]["p50"] == [2 << 14, 3 << 14]
    assert found["tardiness_ns"]["max"] == [17 << 14, 18 << 14]
    assert found["share"] == "333/1000"
    assert found["threads"] == 1
    assert (found["level"], found["tier"]) == (6, "realtime")
    keys += ["level", "tier", "runtime_ns", "wakeup_ns", "tardiness_ns", "threads", "share"]
    assert set(found) == set(keys)


def test_before_the_first_wake_up(attached: tuple[Run, FakeKernel]) -> None:
    run, _ = attached
    found = checked("status", run("status", "--json")[1])["classes"]["game"]
    assert (found["wakeup_ns"], found["tardiness_ns"], found["misses"]) == (None, None, 0)


def test_the_table_fits(attached: tuple[Run, FakeKernel]) -> None:
    run, kernel = attached
    scalars = [field.name for field in fields(ClassStats) if field.name not in ("latency", "tardiness")]
    most: dict[str, Any] = dict.fromkeys(scalars, 2**64 - 1)
    everything = ClassStats(**most)
    last = histogram(abi.LATENCY_BUCKETS, abi.LATENCY_BUCKETS - 1, 200)
    for stats in (ClassStats(), ClassStats(nr_misses=12345, nr_overruns=7), everything):
        kernel.stats[0] = replace(stats, latency=last)
        lines = run("status")[1].splitlines()
        table = lines[lines.index("") + 1 :]
        assert table[0].split() == [
            *("class", "level", "threads", "wake-ups", "preempts", "misses", "overruns", "CPU"),
            *("p50", "p99", "max"),
        ]
        assert len(table) == 4
        assert max(map(len, table)) < 100
        assert all(len(row.split()) == len(table[0].split()) for row in table)
    kernel.stats[0] = ClassStats(nr_misses=12345, nr_overruns=7)
    row = next(line for line in run("status")[1].splitlines() if line.startswith("game"))
    assert row.split()[1:7] == ["6", "0", "0", "0", "12k", "7"]


def test_a_long_name_keeps_its_ends(attached: tuple[Run, FakeKernel]) -> None:
    run, _ = attached
    (row,) = [line for line in run("status")[1].splitlines() if line.startswith("nn")]
    assert "n…n" in row or LONGEST in row
