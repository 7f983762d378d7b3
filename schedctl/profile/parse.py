# SPDX-License-Identifier: GPL-2.0-only
"""A document that the schema accepts, as a typed profile. Nothing is refused here but by rules.py."""

from __future__ import annotations

from typing import Any

from schedctl import quantity
from schedctl.profile import model
from schedctl.profile.document import Path_, Sourced


def parse_profile(document: Sourced) -> model.Profile:
    """The profile, defaults resolved; the document must have passed the schema."""
    root: Any = document.value
    policy = root.get("policy") or {}
    return model.Profile(
        name=root["name"],
        description=root.get("description", ""),
        policy=model.Policy(
            model.Order(policy.get("order", "edf")),
            quantity.parse_share(policy["fair_share"])
            if "fair_share" in policy
            else model.DEFAULT_FAIR_SHARE,
            _texts(policy.get("realtime_users", list(model.DEFAULT_REALTIME_USERS))),
        ),
        classes=tuple(_parse_class(document, name) for name in root.get("classes") or {}),
        file=document.file,
    )


def _parse_class(document: Sourced, name: str) -> model.ThreadClass:
    root: Any = document.value
    keys: dict[str, Any] = root["classes"][name]
    level = keys.get("level")
    tier = model.Tier(keys.get("tier", "realtime" if level is not None else "fair"))
    period_ns = quantity.parse_period_ns(keys["period"]) if "period" in keys else None
    deadline_ns = quantity.parse_duration_ns(keys["deadline"]) if "deadline" in keys else None
    if deadline_ns is None and level is not None:
        deadline_ns = model.default_deadline_ns(level, period_ns)
    return model.ThreadClass(
        name=name,
        description=keys.get("description", ""),
        match=tuple(_parse_item(document, name, i) for i in range(len(keys.get("match", ())))),
        precedence=keys.get("precedence", 0),
        tier=tier,
        level=level,
        period_ns=period_ns,
        deadline_ns=deadline_ns,
        weight=keys.get("weight", model.DEFAULT_WEIGHT),
        origin=document.key_origin(("classes", name)),
    )


def _parse_item(document: Sourced, name: str, index: int) -> model.MatchItem:
    root: Any = document.value
    path: Path_ = ("classes", name, "match", index)
    return _item(document, root["classes"][name]["match"][index], path)


def _item(document: Sourced, keys: dict[str, Any], path: Path_) -> model.MatchItem:
    excluded, here = keys.get("not", []), (*path, "not")
    if isinstance(excluded, dict):
        nested = [_item(document, excluded, here)]
    else:
        nested = [_item(document, item, (*here, i)) for i, item in enumerate(excluded)]
    return model.MatchItem(
        **{key: _texts(keys.get(key)) for key in model.TEXT_KEYS},
        exe_owner_root="exe_owner" in keys,
        kthread=keys.get("kthread"),
        leader=keys.get("leader"),
        nice=quantity.parse_nice(str(keys["nice"])) if "nice" in keys else None,
        excluded=tuple(nested),
        origin=document.origin(path),
    )


def _texts(value: str | int | list[str | int] | None) -> tuple[str, ...]:
    """One text or number, or a list of them."""
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)
