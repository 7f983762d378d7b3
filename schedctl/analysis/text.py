# SPDX-License-Identifier: GPL-2.0-only
"""Exact ratios as text that a person can read."""

from __future__ import annotations

from fractions import Fraction

_MAX_DENOMINATOR = 10**12
_ROUNDED = 10**9


def ratio(value: Fraction) -> str:
    """ "19/20"; a ratio with a longer denominator is rounded up to billionths."""
    if value.denominator > _MAX_DENOMINATOR:
        value = Fraction(-(-value.numerator * _ROUNDED // value.denominator), _ROUNDED)
    return str(value)


def percent(value: Fraction) -> str:
    """ "89 %", rounded up to tenths."""
    tenths = -(-value.numerator * 1000 // value.denominator)
    return f"{tenths // 10}.{tenths % 10} %" if tenths % 10 else f"{tenths // 10} %"
