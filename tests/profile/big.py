# SPDX-License-Identifier: GPL-2.0-only
"""A profile of thousands of match items: 80 % literals, 15 % globs, 5 % that look at two or three things."""

from __future__ import annotations

import random

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_"
NR_ITEMS = 15_000
NR_CLASSES = 30


def big_profile(nr_items: int = NR_ITEMS) -> str:
    """The same text for the same number."""
    source = random.Random(nr_items)
    lines = ["schedctl: 1", "name: big", "classes:"]
    for number in range(NR_CLASSES):
        lines += [f"  c{number}:", f"    level: {number % 7 + 1}", f"    precedence: {number}", "    match:"]
        for _ in range(nr_items // NR_CLASSES):
            item = ", ".join(f'{key}: "{value}"' for key, value in _item(source).items())
            lines.append(f"      - {{{item}}}")
    return "\n".join(lines) + "\n"


def _item(source: random.Random) -> dict[str, str]:
    kind = source.random()
    if kind < 0.8:
        key = source.choice(["comm", "comm", "exe", "unit"])
        word = _word(source, 4, 12)
        return {key: {"comm": word, "exe": f"/usr/bin/{word}", "unit": f"{word}.service"}[key]}
    if kind < 0.95:
        key = source.choice(["comm", "exe"])
        shape = source.choice(["{}*", "*{}", "{}?x*", "{}[0-9]*"])
        return {key: ("/opt/" if key == "exe" else "") + shape.format(_word(source, 3, 8))}
    item = {"comm": _word(source, 4, 10) + "*", "cgroup": source.choice(["app.slice", "/user.slice/*"])}
    if source.random() < 0.4:
        item["user"] = "root"
    return item


def _word(source: random.Random, least: int, most: int) -> str:
    return "".join(source.choices(LETTERS, k=source.randint(least, most)))
