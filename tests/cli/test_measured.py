# SPDX-License-Identifier: GPL-2.0-only
"""What explain says of the releases that the running scheduler has measured."""

from __future__ import annotations

from fractions import Fraction

from schedctl.cli.measured import documents, line, measured_periods
from schedctl.image.task import MeasuredPeriod, Rhythm
from tests.kernel.contract import policy
from tests.kernel.fake import FakeKernel

STEADY = MeasuredPeriod(Rhythm.PERIODIC, 400, 16_667_000, 12_345, Fraction(23, 24), 2)
RANDOM = MeasuredPeriod(Rhythm.APERIODIC, 300, 0, 0, Fraction(0), 0)
NEW = MeasuredPeriod(Rhythm.MEASURING, 7, 0, 0, Fraction(0), 0)


def test_only_what_runs_and_only_to_root() -> None:
    kernel = FakeKernel()
    assert measured_periods(kernel, [1, 2]) == {}
    kernel.attach(policy())
    kernel.periods = {2: STEADY}
    assert measured_periods(kernel, [1, 2]) == {2: STEADY}
    kernel.root = False
    assert measured_periods(kernel, [1, 2]) == {}


def test_for_machines() -> None:
    steady, random = documents({5: STEADY, 6: RANDOM})
    assert steady == {
        "tid": 5,
        "rhythm": "periodic",
        "releases": 400,
        "period_ns": 16_667_000,
        "jitter_ns": 12_345,
        "confidence": "23/24",
        "wakeups": 2,
    }
    assert (random["rhythm"], random["releases"]) == ("aperiodic", 300)
    assert {random[key] for key in ("period_ns", "jitter_ns", "confidence", "wakeups")} == {None}


def test_for_people() -> None:
    assert [line(5, period) for period in (STEADY, RANDOM, NEW)] == [
        "measured of 5: period 16.667 ms (60.0 Hz), 2 wake-ups in each, jitter 12 us, confidence 96%",
        "measured of 5: aperiodic, after 300 releases",
        "measured of 5: 7 releases, about 41 are needed",
    ]
