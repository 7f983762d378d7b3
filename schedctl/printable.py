# SPDX-License-Identifier: GPL-2.0-only
"""Names that somebody else chose, made fit for terminals and journals; tables."""

from __future__ import annotations

from schedctl.glob import encoded


def shown(name: bytes | str) -> str:
    """A name as it can be printed, whatever bytes it has."""
    data = encoded(name) if isinstance(name, str) else name
    return "".join(c if c.isprintable() else "\ufffd" for c in data.decode(errors="replace"))


def columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as lines whose cells stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
