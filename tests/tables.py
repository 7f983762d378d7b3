# SPDX-License-Identifier: GPL-2.0-only
"""The tables of keys in docs/profile.md, from the schemas: `python -m tests.tables` writes them anew."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from schedctl.profile.text import flow
from tests.features import ROOT

PAGE = ROOT / "docs" / "profile.md"
# Name of a table -> its schema, and the way to the properties.
TABLES = {
    "profile": ("profile", ()),
    "policy": ("profile", ("properties", "policy")),
    "class": ("profile", ("$defs", "class")),
    "boost": ("profile", ("$defs", "class", "properties", "boost")),
    "recovery": ("profile", ("$defs", "class", "properties", "boost", "properties", "recovery")),
    "item": ("profile", ("$defs", "item")),
    "dropin": ("profile", ("$defs", "dropin")),
    "schedctl.yaml": ("schedctl", ()),
}
VALUES = {
    "account": "user",
    "accounts": "names or numbers",
    "duration": "duration",
    "globs": "patterns",
    "name": "name",
    "own_period": "duration, rate, `auto`",
    "period": "duration or rate",
    "share": "share",
    "when": "expression",
}
TYPES = {"string": "text", "array": "list", "object": "mapping", "boolean": "`true`, `false`"}
BLOCK = re.compile(r"(?<=<!-- table: )(\S+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


@cache
def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text())
    return found


def resolved(part: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """A part of a schema with what it refers to, its own words first."""
    while (ref := part.get("$ref", "")).startswith("#/"):
        target: Any = root
        for step in ref[2:].split("/"):
            target = target[step]
        part = target | {key: value for key, value in part.items() if key != "$ref"}
    return part


def values(part: dict[str, Any], root: dict[str, Any]) -> str:
    """What may stand there, in a few words."""
    name = part.get("$ref", "").rsplit("/", 1)[-1]
    if "/$defs/" in part.get("$ref", "") and name in VALUES:
        return VALUES[name]
    part = resolved(part, root)
    if "anyOf" in part:
        return ", ".join(values(one, root) for one in reversed(part["anyOf"]))
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"] if value is not None)
    if "const" in part:
        return f"`{part['const']}`"
    kinds = [
        kind for kind in [part.get("type", "object")] for kind in (kind if isinstance(kind, list) else [kind])
    ]
    if "integer" in kinds:
        return f"{part['minimum']} … {part['maximum']}"
    return TYPES[next(found for found in kinds if found != "null")]


def table(name: str) -> str:
    file, way = TABLES[name]
    root = schema(file)
    part: Any = root
    for step in way:
        part = part[step]
    lines = ["| key | values | default | meaning | example |", "|---|---|---|---|---|"]
    for key, child in resolved(part, root)["properties"].items():
        found = resolved(child, root)
        default = f"`{flow(found['default'])}`" if "default" in found else "-"
        example = flow(found["examples"][0]).replace("|", "\\|")
        meaning = found["description"].replace("|", "\\|")
        lines.append(f"| `{key}` | {values(child, root)} | {default} | {meaning} | `{example}` |")
    return "\n".join(lines) + "\n"


def page() -> str:
    """The page with its tables as the schemas have them now."""
    return BLOCK.sub(lambda found: f"{found[1]}{found[2]}{table(found[1])}", PAGE.read_text())


if __name__ == "__main__":
    PAGE.write_text(page())
