# SPDX-License-Identifier: GPL-2.0-only
"""Names that somebody else chose, made fit for terminals and journals; tables."""

from __future__ import annotations

import re

# Terminals act on these, or show what follows elsewhere; half of a surrogate pair cannot be printed at all.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(name: bytes | str) -> str:
    """A name as it can be printed, whatever bytes it has."""
    text = name if isinstance(name, str) else name.decode(errors="replace")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def harmless(text: str) -> str:
    """A text of several lines that may have names in it: no terminal acts on it."""
    return _ACTING.sub("\ufffd", text)


def harmless_json(text: str) -> str:
    """JSON that means the same, and on which no terminal acts."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as lines whose cells stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
