# SPDX-License-Identifier: GPL-2.0-only
"""Tables of the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def table(head: Sequence[str], lines: Iterator[Sequence[str]]) -> str:
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines)) + "\n"
