# SPDX-License-Identifier: GPL-2.0-only
"""Names that somebody else chose, made fit for terminals and journals; tables."""

from __future__ import annotations

import json
import unicodedata
from typing import Any


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


def printable(text: str) -> str:
    """Lines of ours with somebody else's words in them: nothing that a terminal obeys or shows reversed."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return "".join(c if c in "\n\t" or c.isprintable() or _is_space(c) else "\ufffd" for c in text)


def json_text(document: Any, indent: int | None = None) -> str:
    """As JSON, whose strings keep what cannot be printed as \\uXXXX; half a surrogate pair is U+FFFD."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


def _is_space(c: str) -> bool:
    return unicodedata.category(c) == "Zs"


def _escaped(c: str) -> str:
    return "\\ufffd" if "\ud800" <= c <= "\udfff" else json.dumps(c)[1:-1]
