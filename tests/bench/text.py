# SPDX-License-Identifier: GPL-2.0-only
"""Tables of the page, and their cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.bench.raw import Spread


def table(head: Sequence[str], lines: Iterator[Sequence[str]]) -> str:
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines)) + "\n"


def number(value: float, unit: str) -> str:
    """Counts have no unit."""
    if not unit:
        return f"{value:,.0f}"
    if unit == "s":
        return f"{value:.3f}"
    return f"{value:,.0f}" if value >= 100 and unit != "%" else f"{value:.1f}"


def cell(spread: Spread | None, unit: str) -> str:
    """A median with the lowest and the highest."""
    if not spread:
        return "-"
    return f"{number(spread.median, unit)} ({number(spread.low, unit)} to {number(spread.high, unit)})"
