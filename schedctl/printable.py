# SPDX-License-Identifier: GPL-2.0-only
"""Names that somebody else chose, made fit for terminals and journals; tables."""

from __future__ import annotations


def shown(name: bytes | str) -> str:
    """A name as it can be printed, whatever bytes it has."""
    text = name if isinstance(name, str) else name.decode(errors="replace")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as lines whose cells stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
