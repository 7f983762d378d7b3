# SPDX-License-Identifier: GPL-2.0-only
"""The policy as the kernel holds it: one type for what is desired and for what runs.

`to_document` gives the image document (`schedctl_image: 1`): durations are integers of ns, shares text.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from schedctl.profile.model import (
    DEFAULT_BACKGROUND_SHARE,
    DEFAULT_SLICE_NS,
    RUN_PREFIX,
    TOP_LEVEL,
    Order,
    Overrun,
    Power,
    RateStep,
    Recovery,
    Tier,
)
from schedctl.quantity import format_share, parse_share

IMAGE_VERSION = 1


@dataclass(frozen=True, slots=True)
class ImageClass:
    name: str
    tier: Tier
    level: int  # 0 outside the real-time tier; until a period is measured the last step's
    period_ns: int  # 0 = none, or measured
    deadline_ns: int  # relative; 0 outside the real-time tier, or where it is the measured period
    weight: int
    runtime_ns: int = 0  # 0 = no budget
    overrun: Overrun = Overrun.THROTTLE
    threads: int = 0  # 0 = no limit
    slice_ns: int = DEFAULT_SLICE_NS
    timer_slack_ns: int = 0  # 0 = left alone
    max_level: int = TOP_LEVEL  # 0 = no lifts
    recovery: Recovery | None = None
    measured: bool = False
    rate_monotonic: tuple[RateStep, ...] = ()  # only where level and period are measured

    def to_document(self) -> dict[str, Any]:
        """Without what is 0 and does not act."""
        document: dict[str, Any] = {"tier": str(self.tier)}
        for key in ("level", "rate_monotonic", "measured", "period_ns", "deadline_ns", "runtime_ns"):
            if value := getattr(self, key):
                document[key] = value
        if self.rate_monotonic:
            document["rate_monotonic"] = list(map(_step_document, self.rate_monotonic))
        if self.runtime_ns:
            document["overrun"] = str(self.overrun)
        if self.threads:
            document["threads"] = self.threads
        document |= {"weight": self.weight, "slice_ns": self.slice_ns}
        if self.timer_slack_ns:
            document["timer_slack_ns"] = self.timer_slack_ns
        document["max_level"] = self.max_level
        if self.recovery:
            document["recovery"] = asdict(self.recovery)
        return document

    @classmethod
    def from_document(cls, name: str, document: dict[str, Any]) -> ImageClass:
        """The inverse; raises KeyError, TypeError or ValueError on anything else."""
        values = {"level": 0, "period_ns": 0, "deadline_ns": 0} | document
        values["tier"] = Tier(values["tier"])
        values["overrun"] = Overrun(values.get("overrun", Overrun.THROTTLE))
        values["rate_monotonic"] = tuple(map(_step_from, values.get("rate_monotonic", ())))
        if "recovery" in values:
            values["recovery"] = Recovery(**values["recovery"])
        return cls(name, **values)


def _step_document(step: RateStep) -> dict[str, int]:
    if step.at_most_ns is None:
        return {"else": step.level}
    return {"at_most_ns": step.at_most_ns, "level": step.level}


def _step_from(document: dict[str, int]) -> RateStep:
    if "else" in document:
        return RateStep(None, document["else"])
    return RateStep(document["at_most_ns"], document["level"])


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
    background_share: Fraction = DEFAULT_BACKGROUND_SHARE  # whole per mille
    power: Power = Power.BALANCED

    def to_document(self) -> dict[str, Any]:
        return {
            "schedctl_image": IMAGE_VERSION,
            "profile": self.profile,
            "order": str(self.order),
            "fair_share": format_share(self.fair_share),
            "background_share": format_share(self.background_share),
            "power": str(self.power),
            "realtime_uids": list(self.realtime_uids),
            "classes": {cls.name: cls.to_document() for cls in self.classes},
            "rules": [rule.to_document() for rule in self.rules],
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> PolicyImage:
        """The inverse of to_document; raises KeyError, TypeError or ValueError on anything else."""
        if document["schedctl_image"] != IMAGE_VERSION:
            raise ValueError(f"image version {document['schedctl_image']!r}")
        return cls(
            document["profile"],
            Order(document["order"]),
            parse_share(document["fair_share"]),
            tuple(ImageClass.from_document(name, keys) for name, keys in document["classes"].items()),
            tuple(map(ImageRule.from_document, document["rules"])),
            tuple(document["realtime_uids"]),
            parse_share(document["background_share"]),
            Power(document["power"]),
        )
