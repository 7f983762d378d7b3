# SPDX-License-Identifier: GPL-2.0-only
"""The policy as the kernel holds it: one type for what is desired and for what runs.

`to_document` gives the image document (`schedctl_image: 1`): durations are integers of ns, shares text.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from schedctl.profile.model import Order, Tier
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
class ImageRule:
    class_name: str
    comm: str | None
    cgroup: str | None

    def to_document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"class": self.class_name}
        if self.comm is not None:
            document["comm"] = self.comm
        if self.cgroup is not None:
            document["cgroup"] = self.cgroup
        return document


@dataclass(frozen=True, slots=True)
class PolicyImage:
    profile: str
    order: Order
    fair_share: Fraction  # whole per mille
    classes: tuple[ImageClass, ...]  # [0] is "default"
    rules: tuple[ImageRule, ...]  # in rank order: the first that matches decides

    def to_document(self) -> dict[str, Any]:
        return {
            "schedctl_image": IMAGE_VERSION,
            "profile": self.profile,
            "order": str(self.order),
            "fair_share": format_share(self.fair_share),
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
            tuple(ImageRule(r["class"], r.get("comm"), r.get("cgroup")) for r in document["rules"]),
        )


def _class_from(name: str, keys: dict[str, Any]) -> ImageClass:
    level, period_ns, deadline_ns = (keys.get(key, 0) for key in ("level", "period_ns", "deadline_ns"))
    return ImageClass(name, Tier(keys["tier"]), level, period_ns, deadline_ns, keys["weight"])
