# SPDX-License-Identifier: GPL-2.0-only
"""bpf/period_math.h, compiled for the host, and threads with a known rhythm to try it on."""

from __future__ import annotations

import ctypes
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from ctypes import c_uint32, c_uint64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedctl.image.abi import PeriodCtx
from tests.sched.programs import ROOT

SHIM = Path(__file__).parent / "period_shim.c"
NS = 1_000_000_000
MS = 1_000_000
FULL = 1 << 64
RATES_HZ = (60, 144, 1000)
# No answer is judged before.
SETTLED_NS = 2 * NS
TOLERANCE = 0.02


class Estimator:
    """The header's functions; `ctx` is the state after the latest run."""

    def __init__(self, folder: Path) -> None:
        library = folder / "period.so"
        flags = ("-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover=all")
        command = ["gcc", *flags, "-static-libubsan", "-shared", "-fPIC", f"-I{ROOT / 'bpf'}"]
        subprocess.run([*command, "-o", str(library), str(SHIM)], check=True)
        self.shim = ctypes.CDLL(str(library))
        self.shim.period_run.restype = None
        self.shim.period_force.restype = None
        self.shim.period_distance.restype = c_uint64
        self.shim.period_is_less.restype = c_uint32
        self.shim.period_middle_of.restype = c_uint32
        self.shim.period_distance.argtypes = self.shim.period_is_less.argtypes = [c_uint64, c_uint64]
        self.shim.period_middle_of.argtypes = [c_uint64] * 3
        self.ctx = PeriodCtx()

    def run(self, times: Sequence[int]) -> list[int]:
        """The period after each of these releases of a new thread, 0 = none."""
        self.ctx = PeriodCtx()
        return self.go_on(times)

    def go_on(self, times: Sequence[int]) -> list[int]:
        array: Any = c_uint64 * len(times)
        periods = array()
        self.shim.period_run(ctypes.byref(self.ctx), array(*times), periods, len(times))
        return list(periods)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How the releases of a periodic thread depart from its period; shares of the period."""

    phase: float = 0  # each release, around its nominal time
    interval: float = 0  # each period
    missing: float = 0  # share of the releases
    drift: float = 0  # of the period, per second
    wakeups: tuple[float, ...] = (0,)  # when in each period


RHYTHMS = {
    "clean": Rhythm(),
    "jitter ±10 % of each release": Rhythm(phase=0.1),
    "jitter ±10 % of each period": Rhythm(interval=0.1),
    "10 % missing": Rhythm(missing=0.1),
    "20 % missing": Rhythm(missing=0.2),
    "drift 1 %/s": Rhythm(drift=0.01),
    "drift -1 %/s": Rhythm(drift=-0.01),
    "release jitter, 10 % missing": Rhythm(phase=0.1, missing=0.1),
    "release jitter, 20 % missing": Rhythm(phase=0.1, missing=0.2),
    "period jitter, 20 % missing": Rhythm(interval=0.1, missing=0.2),
    "release jitter, drift 1 %/s": Rhythm(phase=0.1, drift=0.01),
    "period jitter, drift 1 %/s": Rhythm(interval=0.1, drift=0.01),
    "gaps 20/80": Rhythm(wakeups=(0, 0.2)),
    "gaps 33/67": Rhythm(wakeups=(0, 0.33)),
    "gaps 45/55": Rhythm(wakeups=(0, 0.45)),
    "gaps 20/80, release jitter ±5 %": Rhythm(phase=0.05, wakeups=(0, 0.2)),
    "gaps 20/80, period jitter ±10 %": Rhythm(interval=0.1, wakeups=(0, 0.2)),
    "gaps 20/80, 5 % missing": Rhythm(missing=0.05, wakeups=(0, 0.2)),
    "gaps 10/10/80": Rhythm(wakeups=(0, 0.1, 0.2)),
    "gaps 25/25/50": Rhythm(wakeups=(0, 0.25, 0.5)),
    "gaps 20/30/50, release jitter ±5 %": Rhythm(phase=0.05, wakeups=(0, 0.2, 0.5)),
}


def releases(rhythm: Rhythm, hz: float, seconds: float, seed: int) -> tuple[list[int], list[float]]:
    """Times of releases, and the true period at each of them."""
    rng = random.Random(f"{rhythm} {hz} {seed}")
    nominal_ns = NS / hz
    start = at = NS * (1 + rng.random())
    times: list[int] = []
    truth: list[float] = []
    while at < start + seconds * NS:
        period_ns = nominal_ns * (1 + rhythm.drift * (at - start) / NS)
        for wakeup in rhythm.wakeups:
            moved = wakeup + rng.uniform(-rhythm.phase, rhythm.phase)
            if rng.random() >= rhythm.missing:
                times.append(int(at + moved * period_ns))
                truth.append(period_ns)
        at += period_ns * (1 + rng.uniform(-rhythm.interval, rhythm.interval))
    return sorted(times), truth


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the estimator said of one thread. Answers count from SETTLED_NS on."""

    first_ns: int  # from the first release to the first answer within the tolerance
    nr: int
    nr_none: int
    errors: list[float]  # of the answers, relative
    jitter: float  # at the end, as share of the period

    @property
    def nr_wrong(self) -> int:
        return sum(error > TOLERANCE for error in self.errors)


def observe(estimator: Estimator, rhythm: Rhythm, hz: float, seconds: float, seed: int) -> Outcome:
    times, truth = releases(rhythm, hz, seconds, seed)
    answers = list(zip(times, truth, estimator.run(times), strict=True))
    right = (at for at, period, got in answers if abs(got / period - 1) <= TOLERANCE)
    settled = [(period, got) for at, period, got in answers if at >= times[0] + SETTLED_NS]
    return Outcome(
        first_ns=next(right, times[-1]) - times[0],
        nr=len(settled),
        nr_none=sum(not got for _, got in settled),
        errors=[abs(got / period - 1) for period, got in settled if got],
        jitter=estimator.ctx.jitter_ns / truth[-1],
    )


# Gaps without a period, with a mean of 1.
RANDOM_GAPS: dict[str, Callable[[random.Random], float]] = {
    "Poisson process": lambda rng: rng.expovariate(1),
    "sum of two exponential gaps": lambda rng: (rng.expovariate(1) + rng.expovariate(1)) / 2,
    "uniform gaps, 0 to 200 %": lambda rng: rng.uniform(0, 2),
    "uniform gaps, 50 to 150 %": lambda rng: rng.uniform(0.5, 1.5),
    "powers of e, -2 to 2, uniform": lambda rng: 2.718 ** rng.uniform(-2, 2) / 1.81,
}


def random_releases(kind: str, hz: float, nr: int, seed: int) -> list[int]:
    rng = random.Random(f"{kind} {hz} {seed}")
    at, times = float(NS), []
    for _ in range(nr):
        at += RANDOM_GAPS[kind](rng) * NS / hz
        times.append(int(at))
    return times


def bursts(wakeups: int, length_ns: int, sleep_ns: int, nr: int) -> list[int]:
    cycle_ns = length_ns + sleep_ns
    return [
        NS + cycle * cycle_ns + wakeup * length_ns // wakeups
        for cycle in range(nr)
        for wakeup in range(wakeups)
    ]


def alternating(switches: int, jitter: float, seed: int) -> Iterator[tuple[int, int, int]]:
    """60 and 144 Hz, 3 s each: time of a release, time since the switch, true period."""
    rng = random.Random(seed)
    at = NS
    for switch in range(switches):
        period_ns = NS // (60, 144)[switch % 2]
        since = at
        while at < since + 3 * NS:
            at += period_ns
            moved = at + int(rng.uniform(-jitter, jitter) * period_ns)
            yield moved, at - since, period_ns
