# SPDX-License-Identifier: GPL-2.0-only
"""The stored raw results, and what is computed from them."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

RAW = Path(__file__).resolve().parents[2] / "docs" / "benchmarks" / "raw.json"


def save(raw: dict[str, Any], path: Path) -> None:
    """One sample per line, so that a difference can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = []
    for key, value in raw.items():
        if isinstance(value, list):
            lines = ",\n".join(f"  {json.dumps(item)}" for item in value)
            parts.append(f" {json.dumps(key)}: [\n{lines}\n ]")
        else:
            parts.append(f" {json.dumps(key)}: {json.dumps(value)}")
    partial = path.with_suffix(".new")
    partial.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    partial.rename(path)


def load(path: Path = RAW) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure of one contender over all its samples: the median, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of all contenders: what "where we lose" goes through."""

    workload: str
    metric: str
    unit: str
    is_less_better: bool
    values: dict[str, Spread]
    by_round: dict[str, dict[int, float]]  # the median of each round's samples

    @property
    def is_paired(self) -> bool:
        """Throughput goes up and down with the state of the machine: only within a round it is compared."""
        return self.unit != "µs"

    def ratio(self, name: str, other: str) -> float:
        """How many times worse `name` is than `other`; below 1 where it is better."""
        if self.is_paired and (paired := self.paired(name, other)):
            return 1 / paired.median
        return self._times_better(self.values[other].median, self.values[name].median)

    def paired(self, name: str, other: str) -> Spread | None:
        """How many times better `name` is than `other`, in each round that both were in."""
        mine, theirs = (self.by_round.get(who, {}) for who in (name, other))
        times = [self._times_better(mine[nr], theirs[nr]) for nr in mine if nr in theirs]
        return Spread.of(times) if times else None

    def _times_better(self, mine: float, theirs: float) -> float:
        return theirs / mine if self.is_less_better else mine / theirs

    def overlaps(self, name: str, other: str) -> bool:
        """Whether the two ranges over the rounds have values in common."""
        mine, theirs = self.values[name], self.values[other]
        return mine.low <= theirs.high and theirs.low <= mine.high


def percentile(sorted_values: Sequence[int], percent: int) -> int:
    return sorted_values[min(len(sorted_values) - 1, len(sorted_values) * percent // 100)]


def late_us(sample: dict[str, Any]) -> dict[str, float]:
    """p50, p99 and the longest of one sample's wake-ups, in microseconds."""
    late = sorted(sample["late_ns"])
    return {"p50": percentile(late, 50) / 1000, "p99": percentile(late, 99) / 1000, "max": late[-1] / 1000}


def _figures(sample: dict[str, Any], spawns: int) -> dict[tuple[str, str, bool], float]:
    """(metric, unit, less is better) -> value."""
    if "late_ns" in sample:
        return {(metric, "µs", True): us for metric, us in late_us(sample).items()}
    seconds = sample["elapsed_ns"] / 1e9
    if sample["workload"] == "spawn":
        return {("rate", "per s", False): spawns / seconds}
    return {("time", "s", True): seconds}


def rows(raw: dict[str, Any]) -> list[Row]:
    """Every figure that was measured, in the order of the samples."""
    found: dict[tuple[str, str, str, bool], dict[str, dict[int, list[float]]]] = {}
    for sample in raw["samples"]:
        for (metric, unit, is_less_better), value in _figures(sample, raw["spawns"]).items():
            key = (sample["workload"], metric, unit, is_less_better)
            by_round = found.setdefault(key, {}).setdefault(sample["contender"], {})
            by_round.setdefault(sample["round"], []).append(value)
    return [
        Row(
            *key,
            values={name: Spread.of(list(chain(*by_round.values()))) for name, by_round in by_name.items()},
            by_round={
                name: {nr: statistics.median(values) for nr, values in by_round.items()}
                for name, by_round in by_name.items()
            },
        )
        for key, by_name in found.items()
    ]
