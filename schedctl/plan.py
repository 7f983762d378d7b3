# SPDX-License-Identifier: GPL-2.0-only
"""Desired image and observation to a Plan: what would change, value by value. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any

from schedctl.errors import ApplyError, ConflictError, PrivilegeError
from schedctl.image.abi import ABI_VERSION
from schedctl.image.model import ImageClass, ImageRule, PolicyImage
from schedctl.kernel.protocol import OPS_NAME
from schedctl.observe import Observation, Owner
from schedctl.quantity import format_duration


class Action(StrEnum):
    RELEASE = "release"
    """Remove what a scheduler that was ejected left behind."""
    ATTACH = "attach"
    """Load the scheduler and attach it."""
    CHANGE = "change"
    """Give the running scheduler another policy; nothing is detached."""
    SWAP = "swap"
    """Replace the running scheduler by the installed one; its policy stays, where the layout is the same."""


class Operation(StrEnum):
    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"


class Mode(StrEnum):
    """How a difference reaches the kernel."""

    LIVE = "live"
    """The policy's tables are changed while the scheduler runs."""
    SWAP = "swap"
    """Another scheduler takes over."""
    ATTACH = "attach"
    """With the first attach: nothing of ours runs."""


_SIGN = {Operation.ADD: "+", Operation.REMOVE: "-", Operation.REPLACE: "~"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two image documents; old or new is None where it has none."""

    operation: Operation
    path: str
    old: Any = None
    new: Any = None
    mode: Mode = Mode.LIVE

    def to_document(self) -> dict[str, Any]:
        return {
            "operation": self.operation.value,
            "path": self.path,
            "old": self.old,
            "new": self.new,
            "mode": self.mode.value,
        }

    def line(self) -> str:
        """`~ classes.game.level: 3 -> 6`; durations as a person writes them."""
        path = self.path.removesuffix("_ns")
        match self.operation:
            case Operation.ADD:
                values = _shown(self.path, self.new)
            case Operation.REMOVE:
                values = _shown(self.path, self.old)
            case Operation.REPLACE:
                values = f"{_shown(self.path, self.old)} -> {_shown(self.path, self.new)}"
        by = " (swap)" if self.mode is Mode.SWAP else ""
        return f"{_SIGN[self.operation]} {path}: {values}{by}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Valid only for the observation it was made from, which `generation` names (None: nothing was live)."""

    desired: PolicyImage
    live: PolicyImage | None
    generation: int | None
    actions: tuple[Action, ...]
    changes: tuple[Change, ...]

    @property
    def changed(self) -> bool:
        return bool(self.actions)

    def to_document(self) -> dict[str, Any]:
        """The plan as plain data, for --json."""
        return {
            "profile": self.desired.profile,
            "generation": self.generation,
            "actions": [action.value for action in self.actions],
            "changes": [change.to_document() for change in self.changes],
        }

    def lines(self) -> list[str]:
        """The plan for people: what happens, then the differences with + - ~."""
        profile = self.desired.profile
        if not self.changed:
            return [f"nothing to change: profile {profile} runs"]
        headline = {
            Action.RELEASE: "remove what the ejected scheduler left behind",
            Action.ATTACH: f"attach the scheduler with profile {profile}",
            Action.SWAP: "replace the running scheduler by the installed one",
            Action.CHANGE: f"change the running scheduler's policy, profile {profile}",
        }
        return [headline[action] for action in self.actions] + [
            f"  {change.line()}" for change in self.changes
        ]


@dataclass(frozen=True, slots=True)
class Drift:
    """The kernel runs something else than was selected: `found` None = nothing."""

    selected: str | None
    found: str | None
    changes: tuple[Change, ...]

    def to_document(self) -> dict[str, Any]:
        return {
            "selected": self.selected,
            "found": self.found,
            "changes": [change.to_document() for change in self.changes],
        }

    def lines(self) -> list[str]:
        """What was found, for people; each difference from what was selected to what runs."""
        found = f"profile {self.found}" if self.found else "nothing"
        selected = f"profile {self.selected}" if self.selected else "nothing"
        how = ", changed by somebody else" if self.found == self.selected else ""
        lines = [f"found: {found} runs{how}, and {selected} is selected"]
        shown = self.changes if self.found and self.selected else ()
        lines += [f"  {change.line()}" for change in shown[:DRIFT_SHOWN]]
        if len(shown) > DRIFT_SHOWN:
            lines.append(f"  and {len(shown) - DRIFT_SHOWN} more; --json has all")
        return lines


DRIFT_SHOWN = 10


def find_drift(selected: PolicyImage | None, observation: Observation) -> Drift | None:
    """None where what runs is what was selected, or nobody can read it."""
    live = observation.image
    unread = observation.owner is Owner.SCHEDCTL and live is None
    if live == selected or unread:
        return None
    changes = diff(selected, live) if live is not None else ()
    return Drift(selected.profile if selected else None, live.profile if live else None, changes)


def make_plan(desired: PolicyImage, observation: Observation) -> Plan:
    """What makes the kernel run `desired`; raises where that cannot be said, see `refuse`."""
    refuse(observation)
    live = observation.live
    if live is None:
        actions = (Action.RELEASE, Action.ATTACH) if observation.leftovers else (Action.ATTACH,)
        added = tuple(replace(change, mode=Mode.ATTACH) for change in diff(None, desired))
        return Plan(desired, None, None, actions, added)
    changes = diff(live.image, desired)
    swap = (Action.SWAP,) if observation.outdated else ()
    if live.image is None:  # of another layout: it is not kept, and the new one comes with the new scheduler
        changes = tuple(replace(change, mode=Mode.SWAP) for change in changes)
        return Plan(desired, None, live.generation, swap, changes)
    change = (Action.CHANGE,) if changes else ()
    return Plan(desired, live.image, live.generation, swap + change, changes)


def refuse(observation: Observation) -> None:
    """The reasons for which nothing can be planned."""
    if observation.owner is Owner.OTHER:
        unpinned = " (not by this schedctl: its pins are missing)" if observation.ops == OPS_NAME else ""
        raise ConflictError(
            f"another scheduler is attached: {observation.ops}{unpinned}",
            hint="stop it first, or `echo S > /proc/sysrq-trigger` ends any sched_ext scheduler",
        )
    if observation.owner is Owner.SCHEDCTL and not observation.privileged:
        raise PrivilegeError("the live policy cannot be read", hint="run it as root, for example with sudo")
    live = observation.live
    if live is not None and live.abi_version != ABI_VERSION and not observation.outdated:
        raise ApplyError(
            f"the running scheduler's policy has layout {live.abi_version},"
            f" this schedctl writes layout {ABI_VERSION}",
            hint="`schedctl detach`, then apply again",
        )


def diff(live: PolicyImage | None, desired: PolicyImage) -> tuple[Change, ...]:
    """The differences by path; empty exactly when the images are equal."""
    if live == desired:
        return ()
    changes = [*_scalars(live, desired), *_classes(live.classes if live else (), desired.classes)]
    changes += _rules(_declared(live.rules) if live else (), _declared(desired.rules))
    return tuple(changes)


def _scalars(live: PolicyImage | None, desired: PolicyImage) -> Iterator[Change]:
    old, new = _head(live) if live else {}, _head(desired)
    for key in ("profile", "order", "fair_share", "background_share", "power", "realtime_uids"):
        yield from _values({key: old.get(key)}, {key: new[key]}, "")


def _head(image: PolicyImage) -> dict[str, Any]:
    return replace(image, classes=(), rules=()).to_document()


def _classes(live: Sequence[ImageClass], desired: Sequence[ImageClass]) -> Iterator[Change]:
    old, new = {c.name: c for c in live}, {c.name: c for c in desired}
    for name in [*(n for n in old if n not in new)]:
        yield Change(Operation.REMOVE, f"classes.{name}", old[name].to_document())
    for name, image_class in new.items():
        if name in old and old[name] == image_class:
            continue
        if name in old:
            yield from _values(old[name].to_document(), image_class.to_document(), f"classes.{name}.")
        else:
            yield Change(Operation.ADD, f"classes.{name}", None, image_class.to_document())
    kept_old, kept_new = [n for n in old if n in new], [n for n in new if n in old]
    if kept_old != kept_new:
        yield Change(Operation.REPLACE, "classes", kept_old, kept_new)


def _declared(rules: Sequence[ImageRule]) -> list[ImageRule]:
    """Without those that every class has for `schedctl run`: they change with the classes."""
    return [rule for rule in rules if not rule.implicit]


def _rules(live: Sequence[ImageRule], desired: Sequence[ImageRule]) -> Iterator[Change]:
    for tag, a, b, c, d in SequenceMatcher(None, live, desired, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        for rank in range(a, b):
            yield Change(Operation.REMOVE, f"rules[{rank}]", live[rank].to_document())
        for rank in range(c, d):
            yield Change(Operation.ADD, f"rules[{rank}]", None, desired[rank].to_document())


def _values(old: dict[str, Any], new: dict[str, Any], prefix: str) -> Iterator[Change]:
    for key in [*old, *(k for k in new if k not in old)]:
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        operation = Operation.REPLACE
        if before is None:
            operation = Operation.ADD
        elif after is None:
            operation = Operation.REMOVE
        yield Change(operation, prefix + key, before, after)


def _shown(path: str, value: Any) -> str:
    if isinstance(value, dict):
        if "class" in value:
            excluded = "".join(f", not {_predicates(item)}" for item in value.get("not", ()))
            return f"{_predicates(value['match'])}{excluded} is {value['class']}"
        return ", ".join(f"{key.removesuffix('_ns')} {_shown(key, item)}" for key, item in value.items())
    if isinstance(value, list):
        if value and isinstance(value[0], dict):
            return "; ".join(_shown(path, item) for item in value)
        return ", ".join(map(str, value))
    if value is True:
        return "yes"
    if path.endswith("_ns") and isinstance(value, int):
        return format_duration(value)
    return str(value)


def _predicates(item: dict[str, Any]) -> str:
    """`comm "a" or "b" and user 0`."""
    said = []
    for key, value in item.items():
        values = value if isinstance(value, list) else [value]
        joined = " to " if key == "nice" else " or "
        said.append(f"{key} {joined.join(json.dumps(v, ensure_ascii=False) for v in values)}")
    return " and ".join(said) or "every thread"
