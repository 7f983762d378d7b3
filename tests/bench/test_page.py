# SPDX-License-Identifier: GPL-2.0-only
"""docs/benchmarks.md says what the stored results say, the bad with the good."""

from __future__ import annotations

from typing import Any

from tests.bench.bench import sessions
from tests.bench.budgets import used
from tests.bench.contenders import Contender
from tests.bench.page import PLOTS, losses, page
from tests.bench.raw import RAW, Spread, load, rows, save
from tests.bench.workloads import select
from tests.sched.programs import ROOT

WAKE = "wake-2ms-4"


def raw_of(*samples: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    """All of one round, unless a sample says of which."""
    names = dict.fromkeys(name for name, _, _ in samples)
    return {
        "commit": "0",
        "kernel": "7",
        "qemu": "10",
        "compiler": "gcc",
        "rounds": 2,
        "possible": 2,
        "minutes": 40,
        "throughput_samples": 3,
        "order": "as it comes",
        "wake_ups": 3,
        "spawns": 10,
        "compiles": 4,
        "contenders": [{"name": name, "version": "", "missing": ""} for name in names],
        "samples": [
            {"contender": name, "workload": workload, "round": 1, **result}
            for name, workload, result in samples
        ],
        "costs": [],
        "budgets": [],
        "refused": [],
    }


def late(*late_us: int) -> dict[str, Any]:
    return {"work_ns": 160_000, "late_ns": [us * 1000 for us in late_us]}


def test_the_page_is_what_the_results_give() -> None:
    assert (ROOT / "docs" / "benchmarks.md").read_text() == page(load()), "run make docs-bench"
    for plot in PLOTS:
        assert (RAW.parent / f"{plot}.svg").exists()


def test_the_stored_results_reach_what_was_aimed_at() -> None:
    """An urgent wake-up beside SCHED_FIFO's and the default scheduler's, and what throughput may lose."""
    found = {(row.workload, row.metric): row for row in rows(load())}
    for workload in (f"wake-{period}-{hogs}" for period in ("2ms", "1ms") for hogs in (4, 16)):
        assert found[workload, "p99"].ratio("schedctl", "fifo") <= 2, workload
        assert found[workload, "p99"].ratio("schedctl", "default") <= 0.1, workload
    for workload in ("hackbench", "compile"):
        assert found[workload, "time"].ratio("schedctl", "default") <= 1 / 0.97, workload


def test_the_stored_budgets_hold() -> None:
    """Within a tenth of what is stated, and nobody beside misses anything."""
    for sample in load()["budgets"]:
        if sample["overrun"] == "throttle":
            assert abs(used(sample) - 100) <= 10, sample
        if sample["overrun"] in ("throttle", "postpone"):
            assert sample["jobs"] >= 190, sample
            assert not sample["misses"], sample


def test_a_ratio_of_throughput_is_the_median_of_the_rounds() -> None:
    """The machine was slower in the second round: that is nobody's merit."""
    seconds = {"default": ((4.0, 4.2, 4.1), (5.0, 5.0), (4.0,)), "schedctl": ((4.1,), (5.2, 5.0, 5.5), ())}
    raw = raw_of(
        *(
            (name, "hackbench", {"elapsed_ns": int(s * 1e9), "round": nr})
            for name, by_round in seconds.items()
            for nr, times in enumerate(by_round, 1)
            for s in times
        )
    )
    row = rows(raw)[0]
    assert row.paired("schedctl", "default") == Spread.of([4.1 / 4.1, 5.0 / 5.2])
    text = page(raw)
    assert "| **schedctl** | 5.100 (4.100 to 5.500) | 98.1 (96.2 to 100.0) |" in text
    assert "| default | 3 (6 samples) |" in text
    assert "| **schedctl** | 2 (4 samples) |" in text


def test_each_round_turns_the_order_round() -> None:
    able = [Contender("default"), Contender("fifo"), Contender("schedctl")]
    chosen = select(["wake-2ms-4", "hackbench"])
    first, second = (
        [(s.contender.name, len(s.workloads)) for s in sessions(able, chosen, nr)] for nr in (1, 2)
    )
    assert first[:3] == [("default", 2), ("fifo", 1), ("schedctl", 2)]
    assert {amount for _, amount in first[3:] + second[3:]} == {1}
    assert " ".join(name for name, _ in first[3:]) == "schedctl default default schedctl schedctl default"
    assert second[:3] == first[:3][::-1]
    assert " ".join(name for name, _ in second[3:]) == "default schedctl schedctl default default schedctl"


def test_budgets_are_shown() -> None:
    raw = raw_of()
    raw["budgets"] = [
        {
            "round": nr,
            "overrun": "throttle",
            "cpu_ns": cpu_ns,
            "elapsed_ns": 10**9,
            "overruns": 333,
            "jobs": 200,
            "misses": 0,
            "longest_ns": 872_000,
        }
        for nr, cpu_ns in enumerate((99_000_000, 100_000_000, 101_000_000))
    ]
    line = (
        "| `throttle` | 3 | 100.0 (99.0 to 101.0) | 333 (333 to 333) | 200 (200 to 200) | 0 (0 to 0) | 872 "
    )
    assert line in page(raw)


def test_what_is_spent_is_named_by_callback() -> None:
    raw = raw_of(
        ("fifo", WAKE, late(10, 10, 10)),
        ("schedctl", WAKE, late(17, 17, 21)),
        ("default", "hackbench", {"elapsed_ns": 4_000_000_000}),
        ("schedctl", "hackbench", {"elapsed_ns": 4_100_000_000}),
    )
    callback = {"runs": 200, "ns": 200 * 1000}
    path = dict.fromkeys(("runnable", "enqueue", "stopping", "running", "tick"), callback)
    raw["costs"] = [
        {"contender": "schedctl", "workload": WAKE, "callbacks": path},
        {
            "contender": "schedctl",
            "workload": "hackbench",
            "callbacks": {"dispatch": {"runs": 1, "ns": 4 * 10**7}},
        },
    ]
    text = page(raw)
    assert "| *together* |  |  |  | 2,500 |" in text
    assert "| *p50 beyond SCHED_FIFO's* |  |  |  | 3,500 |" in text
    assert f"| {WAKE} | 21.0 | 15.0 | 3,000 |" in text
    assert "(`tick`: 500 instructions)" in text
    assert "| *all callbacks* | 1.00 |" in text
    assert "| *schedctl takes longer by* | +2.50 |" in text


def test_every_figure_that_is_worse_is_listed() -> None:
    raw = raw_of(
        ("fifo", WAKE, late(10, 12, 14)),
        ("schedctl", WAKE, late(20, 11, 30)),
        ("schedctl", "spawn", {"elapsed_ns": 2_000_000_000}),
        ("default", "spawn", {"elapsed_ns": 1_000_000_000}),
        ("schedctl", "hackbench", {"elapsed_ns": 1_000_000_000}),
        ("default", "hackbench", {"elapsed_ns": 1_100_000_000}),
    )
    listed = [(row.workload, row.metric, who, round(ratio, 2)) for ratio, row, who in losses(rows(raw))]
    assert listed == [
        (WAKE, "max", "fifo", 2.14),
        (WAKE, "p99", "fifo", 2.14),
        ("spawn", "rate", "default", 2.0),
        (WAKE, "p50", "fifo", 1.67),
    ]
    text = page(raw).split("## Where we lose")[1]
    assert "| spawn, rate, per s | default | 10.0 | 5.0 | 2.000 | no |" in text


def test_ranges_that_overlap_are_said_to() -> None:
    raw = raw_of(
        ("default", "compile", {"elapsed_ns": 1_000_000_000}),
        ("default", "compile", {"elapsed_ns": 1_400_000_000}),
        ("schedctl", "compile", {"elapsed_ns": 1_300_000_000}),
        ("schedctl", "compile", {"elapsed_ns": 1_500_000_000}),
    )
    assert "| compile, time, s | default | 1.200 | 1.400 | 1.167 | yes |" in page(raw)


def test_what_was_not_measured_is_named() -> None:
    raw = raw_of(("schedctl", WAKE, late(1, 2, 3)))
    raw["contenders"].append({"name": "scx_x", "version": "1", "missing": "not built: no cargo"})
    raw["refused"].append({"contender": "scx_y", "what": WAKE, "round": 2, "reason": "status 1"})
    text = page(raw)
    assert "* scx_x 1: not built: no cargo" in text
    assert f"* scx_y, {WAKE}, round 2: status 1" in text
    assert "None." in text.split("## Where we lose")[1]


def test_results_are_stored_as_they_are(tmp_path: Any) -> None:
    raw = raw_of(("schedctl", WAKE, late(1, 2, 3)))
    save(raw, tmp_path / "raw.json")
    assert load(tmp_path / "raw.json") == raw
