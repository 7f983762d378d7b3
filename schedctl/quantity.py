# SPDX-License-Identifier: GPL-2.0-only
"""Durations, rates, shares and ranges of nice, exact: text in, integers (of ns) or Fractions out.

Each parser raises ValueError with a message for a person; `hint_of` says what to write instead.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from math import ceil

NS_PER_S = 1_000_000_000
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": NS_PER_S}
# ASCII digits, and few enough that every quantity can be shown again.
_NUMBER = r"([0-9]{1,18}(?:\.[0-9]{1,18})?)"
_DURATION = re.compile(_NUMBER + "(ns|us|ms|s)")
_RATE = re.compile("(?:([0-9]{1,18})/)?" + _NUMBER + "(Hz|kHz)")
_SHARE = re.compile(_NUMBER + "%")
_NICE = re.compile(r"(-?\d{1,2})(?:\.\.(-?\d{1,2}))?")


@lru_cache(1024)  # each text is read by the schema, the parser and the checks
def _exact_ns(text: str) -> Fraction | None:
    match = _DURATION.fullmatch(text)
    return Fraction(match[1]) * _UNITS[match[2]] if match else None


def parse_duration_ns(text: str) -> int:
    """ "2ms", "0.5s", "400us" -> ns, rounded down."""
    exact = _exact_ns(text)
    if exact is None:
        raise ValueError(f"{text!r} is not a duration")
    return int(exact)


def parse_runtime_ns(text: str) -> int:
    """The same, rounded up: a budget that is too short would be overrun."""
    exact = _exact_ns(text)
    if exact is None:
        raise ValueError(f"{text!r} is not a duration")
    return ceil(exact)


def parse_period_ns(text: str) -> int:
    """A duration, a rate ("60Hz") or N/RATE ("128/48kHz") -> ns, rounded down."""
    exact = _exact_ns(text)
    if exact is not None:
        return int(exact)
    match = _RATE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is neither a duration nor a rate")
    rate = Fraction(match[2]) * (1000 if match[3] == "kHz" else 1)
    if not rate:
        raise ValueError("a rate of zero has no period")
    return int(Fraction(match[1] or 1) * NS_PER_S / rate)


def parse_share(text: str) -> Fraction:
    """ "10%" -> 1/10."""
    match = _SHARE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a share")
    return Fraction(match[1]) / 100


def parse_nice(text: str) -> tuple[int, int]:
    """ "-20..-5" -> (-20, -5), lowest and highest; "5" -> (5, 5)."""
    match = _NICE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a nice value or a range of them")
    low, high = int(match[1]), int(match[2] or match[1])
    if not -20 <= low <= high <= 19:
        raise ValueError(f"{text!r} is not a range from -20 to 19, the lower end first")
    return low, high


def format_duration(ns: int) -> str:
    """The shortest exact text: 2000000 -> "2ms"."""
    for unit in ("s", "ms", "us"):
        if ns and ns % _UNITS[unit] == 0:
            return f"{ns // _UNITS[unit]}{unit}"
    return f"{ns}ns"


def rounded_duration(ns: int) -> str:
    """Three figures are enough for a person: 45211552 -> "45.2ms"."""
    for unit in ("s", "ms", "us"):
        value = ns / _UNITS[unit]
        if value >= 1:
            return f"{value:.3g}{unit}" if value < 999.5 else f"{value:.0f}{unit}"
    return f"{ns}ns"


def format_share(share: Fraction) -> str:
    """1/10 -> "10%"."""
    percent = share * 100
    return f"{percent.numerator / percent.denominator:g}%"
