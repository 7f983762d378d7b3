# SPDX-License-Identifier: GPL-2.0-only
"""Exact ratios as text that a person can read."""

from __future__ import annotations

from fractions import Fraction

from schedctl.quantity import format_duration

_SHORT = 10_000
_LONG_TEXT = 7
_UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000))
_MAX_DENOMINATOR = 10**12
_ROUNDED = 10**9


def ratio(value: Fraction) -> str:
    """ "19/20"; a ratio with a longer denominator is rounded up to billionths."""
    if value.denominator > _MAX_DENOMINATOR:
        value = Fraction(-(-value.numerator * _ROUNDED // value.denominator), _ROUNDED)
    return str(value)


def share(value: Fraction) -> str:
    """For people: the fraction where it is short, else percent, rounded up to thousandths."""
    if value.denominator <= _SHORT:
        return str(value)
    thousandths = -(-value.numerator * 100_000 // value.denominator)
    return f"{thousandths // 1000}.{thousandths % 1000:03d} %"


def duration(ns: int) -> str:
    """ "2ms", "2.667ms": rounded up to thousandths of its unit where the exact text is long."""
    exact = format_duration(abs(ns))
    sign = "-" if ns < 0 else ""
    if len(exact) <= _LONG_TEXT:
        return sign + exact
    unit, factor = next((unit, factor) for unit, factor in _UNITS if abs(ns) >= factor)
    thousandths = -(-abs(ns) * 1000 // factor)
    return f"{sign}{thousandths // 1000}.{thousandths % 1000:03d}{unit}"


def percent(value: Fraction) -> str:
    """ "89 %", to the nearest tenth: to be read, not compared."""
    tenths = (2000 * value.numerator + value.denominator) // (2 * value.denominator)
    return f"{tenths // 10}.{tenths % 10} %" if tenths % 10 else f"{tenths // 10} %"


def against(used: Fraction, most: Fraction) -> str:
    """ "11/10 against 89/100", or both in percent where one has no short fraction; more is shown as more."""
    return " against ".join(_alike(used, most))


def out_of(used: Fraction, most: Fraction) -> str:
    """ "9/10 of 1", or both in percent."""
    return " of ".join(_alike(used, most))


def _alike(used: Fraction, most: Fraction) -> tuple[str, str]:
    if max(used.denominator, most.denominator) <= _SHORT:
        return str(used), str(most)
    return share(used) if used.denominator > _SHORT else percent(used), _percent_down(most)


def _percent_down(value: Fraction) -> str:
    thousandths = value.numerator * 100_000 // value.denominator
    return f"{thousandths // 1000}.{thousandths % 1000:03d} %"
