# SPDX-License-Identifier: GPL-2.0-only
"""The policy as the kernel holds it: one type for what is desired and for what runs.

`to_document` gives the image document (`schedctl_image: 1`): durations are integers of ns, shares text.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from schedctl.profile.model import RUN_PREFIX, Order, Tier
from schedctl.quantity import format_share, parse_share

IMAGE_VERSION = 1


@dataclass(frozen=True, slots=True)
class ImageClass:
    name: str
    tier: Tier
    level: int  # 0 outside the real-time tier
    period_ns: int  # 0 = none
    deadline_ns: int  # relative; 0 outside the real-time tier
    weight: int

    def to_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"tier": str(self.tier)}
        for key in ("level", "period_ns", "deadline_ns"):
            if value := getattr(self, key):
                document[key] = value
        document["weight"] = self.weight
        return document


@dataclass(frozen=True, slots=True)
class ImageItem:
    """Alternatives are sorted; () and None = the predicate is absent. Users and groups are numbers."""

    comm: tuple[str, ...] = ()
    exe: tuple[str, ...] = ()
    exe_owner: int | None = None
    cgroup: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    user_unit: tuple[str, ...] = ()
    user: tuple[int, ...] = ()
    group: tuple[int, ...] = ()
    kthread: bool | None = None
    leader: bool | None = None
    nice: tuple[int, int] | None = None

    def to_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for key in self.__slots__:
            value = getattr(self, key)
            if value not in ((), None):
                document[key] = list(value) if isinstance(value, tuple) else value
        return document

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> ImageItem:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
        return cls(**values)


@dataclass(frozen=True, slots=True)
class ImageRule:
    class_name: str
    item: ImageItem
    excluded: tuple[ImageItem, ...] = ()
    trusted: bool = False
    """Whether it may lift threads of every user."""

    @property
    def implicit(self) -> bool:
        """Whether it stands for `schedctl run CLASS` and in no file."""
        units = (*self.item.unit, *self.item.user_unit)
        return any(unit.startswith(RUN_PREFIX) for unit in units)

    def to_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"class": self.class_name, "match": self.item.to_document()}
        if self.excluded:
            document["not"] = [item.to_document() for item in self.excluded]
        if self.trusted:
            document["trusted"] = True
        return document

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> ImageRule:
        return cls(
            document["class"],
            ImageItem.from_document(document["match"]),
            tuple(map(ImageItem.from_document, document.get("not", ()))),
            document.get("trusted", False),
        )


@dataclass(frozen=True, slots=True)
class PolicyImage:
    profile: str
    order: Order
    fair_share: Fraction  # whole per mille
    classes: tuple[ImageClass, ...]  # [0] is "default"
    rules: tuple[ImageRule, ...]  # in rank order: the first that matches decides
    realtime_uids: tuple[int, ...] = (0,)  # whose threads any rule may lift; sorted

    def to_document(self) -> dict[str, Any]:
        return {
            "schedctl_image": IMAGE_VERSION,
            "profile": self.profile,
            "order": str(self.order),
            "fair_share": format_share(self.fair_share),
            "realtime_uids": list(self.realtime_uids),
            "classes": {cls.name: cls.to_document() for cls in self.classes},
            "rules": [rule.to_document() for rule in self.rules],
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> PolicyImage:
        """The inverse of to_document; raises KeyError or ValueError on anything else."""
        if document["schedctl_image"] != IMAGE_VERSION:
            raise ValueError(f"image version {document['schedctl_image']!r}")
        return cls(
            document["profile"],
            Order(document["order"]),
            parse_share(document["fair_share"]),
            tuple(_class_from(name, keys) for name, keys in document["classes"].items()),
            tuple(map(ImageRule.from_document, document["rules"])),
            tuple(document["realtime_uids"]),
        )


def _class_from(name: str, keys: dict[str, Any]) -> ImageClass:
    level, period_ns, deadline_ns = (keys.get(key, 0) for key in ("level", "period_ns", "deadline_ns"))
    return ImageClass(name, Tier(keys["tier"]), level, period_ns, deadline_ns, keys["weight"])
