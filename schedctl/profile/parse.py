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
    return model.Profile(
        name=root["name"],
        description=root.get("description", ""),
        policy=_parse_policy(root.get("policy") or {}),
        classes=tuple(_parse_class(document, name) for name in root.get("classes") or {}),
        file=document.file,
        resources=tuple(_parse_resource(document, name) for name in root.get("resources") or {}),
    )


def _parse_policy(keys: dict[str, Any]) -> model.Policy:
    shares = {
        key: quantity.parse_share(keys[key]) for key in ("fair_share", "background_share") if key in keys
    }
    return model.Policy(
        model.Order(keys.get("order", "edf")),
        shares.get("fair_share", model.DEFAULT_FAIR_SHARE),
        _texts(keys.get("realtime_users", list(model.DEFAULT_REALTIME_USERS))),
        shares.get("background_share", model.DEFAULT_BACKGROUND_SHARE),
        model.Power(keys.get("power", "balanced")),
        model.CpuMax(keys.get("cpu_max", "refuse")),
        model.Admission(keys.get("admission", "warn")),
    )


def _parse_class(document: Sourced, name: str) -> model.ThreadClass:
    root: Any = document.value
    keys: dict[str, Any] = root["classes"][name]
    measured = keys.get("period") == model.AUTO
    period_ns = quantity.parse_period_ns(keys["period"]) if "period" in keys and not measured else None
    steps = _parse_steps(keys) if keys.get("level") == model.AUTO else ()
    level = model.level_of(steps, period_ns) if steps else keys.get("level")
    tier = model.Tier(keys.get("tier", "realtime" if level is not None else "fair"))
    deadline_ns = _duration(keys, "deadline")
    if deadline_ns is None and level is not None and not measured:
        deadline_ns = model.default_deadline_ns(level, period_ns)
    boost = keys.get("boost", {})
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
        runtime_ns=quantity.parse_runtime_ns(keys["runtime"]) if "runtime" in keys else None,
        overrun=model.Overrun(keys.get("overrun", "throttle")),
        threads=keys.get("threads"),
        slice_ns=_duration(keys, "slice", model.DEFAULT_SLICE_NS),
        timer_slack_ns=_duration(keys, "timer_slack", _default_slack_ns(tier)),
        max_level=_max_level(boost.get("max_level", model.default_max_level(tier))),
        recovery=_parse_recovery(boost.get("recovery", {})),
        measured=measured,
        jitter_ns=quantity.parse_runtime_ns(keys["jitter"]) if "jitter" in keys else 0,
        rate_monotonic=steps,
    )


def _parse_resource(document: Sourced, name: str) -> model.SharedResource:
    root: Any = document.value
    keys: dict[str, Any] = root["resources"][name]
    ceiling = keys.get("ceiling", model.AUTO)
    return model.SharedResource(
        name,
        tuple((cls, quantity.parse_runtime_ns(ns)) for cls, ns in keys.get("hold", {}).items()),
        keys.get("inside"),
        None if ceiling == model.AUTO else ceiling,
        document.key_origin(("resources", name)),
    )


def _duration(keys: dict[str, Any], key: str, default: Any = None) -> Any:
    return quantity.parse_duration_ns(keys[key]) if key in keys else default


def _default_slack_ns(tier: model.Tier) -> int | None:
    return model.REALTIME_SLACK_NS if tier is model.Tier.REALTIME else None


def _max_level(value: int | str) -> int:
    return 0 if isinstance(value, str) else value


def _parse_recovery(keys: dict[str, Any]) -> model.Recovery | None:
    """None, too, where a key is missing: layers may bring them one by one, so that rules.py says so."""
    if not {"after", "within", "decay"} <= keys.keys():
        return None
    return model.Recovery(
        keys["after"], quantity.parse_duration_ns(keys["within"]), quantity.parse_duration_ns(keys["decay"])
    )


def _parse_steps(keys: dict[str, Any]) -> tuple[model.RateStep, ...]:
    if "rate_monotonic" not in keys:
        return model.DEFAULT_RATE_MONOTONIC
    return tuple(
        model.RateStep(None, step["else"])
        if "else" in step
        else model.RateStep(quantity.parse_period_ns(step["at_most"]), step["level"])
        for step in keys["rate_monotonic"]
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
