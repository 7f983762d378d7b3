# SPDX-License-Identifier: GPL-2.0-only
"""The policy image: what the kernel runs, or is to run. Desired and live have this one type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from schedctl.errors import Problem, ProfileError
from schedctl.profile.model import Order, Tier

IMAGE_VERSION = 1
DEFAULT_CLASS = "default"


@dataclass(frozen=True, slots=True)
class ImageClass:
    """A thread class; 0 stands for "none" in level, period_ns and deadline_ns."""

    name: str
    tier: Tier
    level: int = 0
    period_ns: int = 0
    deadline_ns: int = 0
    weight: int = 100

    def to_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"name": self.name, "tier": self.tier.value}
        for key in ("level", "period_ns", "deadline_ns"):
            if value := getattr(self, key):
                document[key] = value
        document["weight"] = self.weight
        return document


@dataclass(frozen=True, slots=True)
class ImageRule:
    """At most one pattern of each kind; None = no such predicate. Rules stand in rank order."""

    class_name: str
    comm: str | None = None
    cgroup: str | None = None

    def to_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"class": self.class_name}
        if self.comm is not None:
            document["comm"] = self.comm
        if self.cgroup is not None:
            document["cgroup"] = self.cgroup
        return document


@dataclass(frozen=True, slots=True)
class PolicyImage:
    """classes[0] is always "default"; the rules' index is their rank, the first match decides."""

    profile: str
    order: Order
    fair_share: Fraction
    classes: tuple[ImageClass, ...]
    rules: tuple[ImageRule, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The image document (`schedctl_image: 1`): plain data, durations in ns, shares as "N/D"."""
        return {
            "schedctl_image": IMAGE_VERSION,
            "profile": self.profile,
            "policy": {"order": self.order.value, "fair_share": str(self.fair_share)},
            "classes": [c.to_document() for c in self.classes],
            "rules": [{"rank": rank, **r.to_document()} for rank, r in enumerate(self.rules)],
        }

    @staticmethod
    def from_document(document: object, file: str = "image") -> PolicyImage:
        """An image document → the image; ProfileError where it is none."""
        try:
            return _from_document(_mapping(document))
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            what = f"key {error} is missing" if isinstance(error, KeyError) else str(error)
            problem = Problem(
                severity="error",
                file=file,
                line=1,
                column=1,
                path="",
                message=f"not an image document: {what}",
                hint="print one with `schedctl show`",
                source="",
            )
            raise ProfileError((problem,)) from error


def _from_document(document: Mapping[str, Any]) -> PolicyImage:
    _only(document, {"schedctl_image", "profile", "policy", "classes", "rules"})
    if document["schedctl_image"] != IMAGE_VERSION:
        raise ValueError(f"schedctl_image is {document['schedctl_image']!r}, this version reads {IMAGE_VERSION}")
    policy = _mapping(document["policy"])
    _only(policy, {"order", "fair_share"})
    image = PolicyImage(
        profile=_text(document["profile"]),
        order=Order(policy["order"]),
        fair_share=Fraction(_text(policy["fair_share"])),
        classes=tuple(_class(_mapping(c)) for c in document["classes"]),
        rules=tuple(_rule(rank, _mapping(r)) for rank, r in enumerate(document["rules"])),
    )
    names = [c.name for c in image.classes]
    if not names or names[0] != DEFAULT_CLASS:
        raise ValueError(f'the first class must be "{DEFAULT_CLASS}"')
    if len(set(names)) != len(names):
        raise ValueError("a class occurs twice")
    if unknown := sorted({r.class_name for r in image.rules} - set(names)):
        raise ValueError(f"rules name unknown classes: {', '.join(unknown)}")
    return image


def _class(document: Mapping[str, Any]) -> ImageClass:
    _only(document, {"name", "tier", "level", "period_ns", "deadline_ns", "weight"})
    return ImageClass(
        name=_text(document["name"]),
        tier=Tier(document["tier"]),
        level=_integer(document.get("level", 0)),
        period_ns=_integer(document.get("period_ns", 0)),
        deadline_ns=_integer(document.get("deadline_ns", 0)),
        weight=_integer(document["weight"]),
    )


def _rule(rank: int, document: Mapping[str, Any]) -> ImageRule:
    _only(document, {"rank", "class", "comm", "cgroup"})
    if document.get("rank", rank) != rank:
        raise ValueError(f"rule {rank} says rank {document['rank']}: rules stand in rank order")
    comm, cgroup = document.get("comm"), document.get("cgroup")
    return ImageRule(
        class_name=_text(document["class"]),
        comm=None if comm is None else _text(comm),
        cgroup=None if cgroup is None else _text(cgroup),
    )


def _only(document: Mapping[str, Any], keys: set[str]) -> None:
    if unknown := sorted(str(key) for key in document if key not in keys):
        raise ValueError(f"unknown keys: {', '.join(unknown)}")


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a mapping was expected, not {type(value).__name__}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a string was expected, not {value!r}")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"an integer from 0 was expected, not {value!r}")
    return value
