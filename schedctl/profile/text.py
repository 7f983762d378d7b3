# SPDX-License-Identifier: GPL-2.0-only
"""A profile as text that reads back as the same profile, each value with the place it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from schedctl.profile.document import Path_
from schedctl.profile.load import Loaded
from schedctl.profile.merge import Effective
from schedctl.profile.model import DEFAULT_CLASS, Profile, RateStep, ThreadClass, Tier
from schedctl.profile.resources import resource_ceilings
from schedctl.quantity import format_duration, format_share

DEFAULT = "default"
_COMMENT_COLUMN = 40
# What needs no quotes in any YAML, wherever it stands.
_PLAIN = re.compile(
    r"[A-Za-z_/][A-Za-z0-9_./@%+-]*( [A-Za-z0-9_./%+()'-]+)*"
    r"|[0-9]+(\.[0-9]+)?(ns|us|ms|s|Hz|kHz|%)|[0-9]+/[0-9]+k?Hz"
)
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"])

Row = tuple[str, Path_ | None]


def with_defaults(loaded: Loaded) -> Effective:
    """The effective values, and for each key that nobody set and that acts its default."""
    found, profile = loaded.effective, loaded.profile
    root: dict[str, Any] = dict(found.value) if isinstance(found.value, dict) else {}
    classes = root.pop("classes", None)
    root["policy"] = _policy_defaults(profile) | root.get("policy", {})
    resources = root.pop("resources", None)
    if classes:
        root["classes"] = {
            cls.name: classes[cls.name] | _missing(classes[cls.name], _class_defaults(cls))
            for cls in profile.classes
        }
    if resources:
        levels = resource_ceilings(profile.resources, profile.classes)
        root["resources"] = {name: keys | {"ceiling": levels[name]} for name, keys in resources.items()}
    return replace(found, value=root)


def ceiling_comments(ceilings: Mapping[str, int]) -> Iterator[str]:
    """What a resource's level comes to, for texts that have no place for it."""
    return (f"# ceiling of {name}: level {level}" for name, level in ceilings.items())


def _policy_defaults(profile: Profile) -> dict[str, Any]:
    policy = profile.policy
    return {
        "order": policy.order.value,
        "fair_share": format_share(policy.fair_share),
        "background_share": format_share(policy.background_share),
        "admission": policy.admission.value,
        "cpu_max": policy.cpu_max.value,
        "power": policy.power.value,
        "realtime_users": list(policy.realtime_users),
    }


def _class_defaults(cls: ThreadClass) -> dict[str, Any]:
    slices = {"slice": format_duration(cls.slice_ns)}
    if cls.name == DEFAULT_CLASS:
        return {"weight": cls.weight, **slices}
    found: dict[str, Any] = {"precedence": cls.precedence, "tier": cls.tier.value}
    if cls.tier is not Tier.REALTIME:
        return found | {"weight": cls.weight, **slices}
    if cls.rate_monotonic:
        found["rate_monotonic"] = list(map(_step, cls.rate_monotonic))
    if cls.deadline_ns is not None:  # else it is the measured period
        found["deadline"] = format_duration(cls.deadline_ns)
    if cls.runtime_ns is not None:
        found["overrun"] = cls.overrun.value
    assert cls.timer_slack_ns is not None
    found |= {**slices, "timer_slack": format_duration(cls.timer_slack_ns)}
    if cls.recovery:
        found["boost"] = {"max_level": cls.max_level}
    return found


def _step(step: RateStep) -> dict[str, Any]:
    if step.at_most_ns is None:
        return {"else": step.level}
    return {"at_most": format_duration(step.at_most_ns), "level": step.level}


def _missing(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The defaults of what nobody set, inside of mappings, too."""
    found = {}
    for key, default in defaults.items():
        if key not in values:
            found[key] = default
        elif isinstance(default, dict):
            found[key] = values[key] | _missing(values[key], default)
    return found


def dump(found: Effective, origins: bool = False) -> str:
    """YAML; with `origins` each value has its file and line behind it, or `default`."""
    lines = []
    for text, path in _rows(found.value):
        place = _place(found, path) if origins and path is not None else ""
        lines.append(f"{text:<{_COMMENT_COLUMN - 2}}  # {place}" if place else text)
    return "\n".join(lines)


def _place(found: Effective, path: Path_) -> str:
    place, value = place_of(found, path), found.value
    if place == DEFAULT and path[-1] == "deadline" and isinstance(value, dict):
        classes: Any = value["classes"]
        place += ", the period" if "period" in classes[path[1]] else ", by the level"
    return place


def place_of(found: Effective, path: Path_) -> str:
    """ "FILE:LINE", or DEFAULT where nobody set it."""
    if path not in found.places:
        return DEFAULT
    origin = found.origin(path)
    return f"{origin.file}:{origin.line}"


def paths(value: Any) -> Iterator[Path_]:
    """The path of every value that has a place of its own."""
    return (path for _, path in _rows(value) if path is not None)


def _rows(value: Any) -> Iterator[Row]:
    for key, inner in value.items():
        if key == "policy":
            yield "policy:", None
            yield from ((f"  {k}: {flow(v)}", ("policy", k)) for k, v in inner.items())
        elif key == "resources" and isinstance(inner, dict):
            yield "resources:" if inner else "resources: {}", None
            yield from _nested_rows((key,), inner)
        elif key == "classes":
            yield "classes:" if inner else "classes: {}", None
            for name, keys in inner.items():
                yield from _class_rows(name, keys)
        else:
            yield f"{key}: {flow(inner)}", (key,)


def _nested_rows(here: Path_, values: dict[str, Any]) -> Iterator[Row]:
    for key, value in values.items():
        head = "  " * len(here) + f"{_text(str(key))}:"
        if isinstance(value, dict) and value:
            yield head, None
            yield from _nested_rows((*here, key), value)
        else:
            yield f"{head} {flow(value)}", (*here, key)


def _class_rows(name: str, keys: dict[str, Any]) -> Iterator[Row]:
    here: Path_ = ("classes", name)
    yield f"  {_text(name)}:" + ("" if keys else " {}"), None
    for key, value in keys.items():
        if key == "match":
            yield "    match:", None
            for i, item in enumerate(value):
                yield f"      - {flow(item)}", (*here, key, i)
        else:
            yield from _key_rows(4, (*here, key), value)


def _key_rows(indent: int, path: Path_, value: Any) -> Iterator[Row]:
    """A mapping has a line per key, for each has a place of its own."""
    head = " " * indent + f"{path[-1]}:"
    if not isinstance(value, dict):
        yield f"{head} {flow(value)}", path
        return
    yield head, None
    for key, inner in value.items():
        yield from _key_rows(indent + 2, (*path, key), inner)


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value) if isinstance(value, str) else str(value)


def _text(text: str) -> str:
    """Plain where every reader takes it for text, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
