# SPDX-License-Identifier: GPL-2.0-only
"""Image documents that the compiler did not make: what the kernel cannot hold is refused."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

from schedctl.image import abi
from schedctl.image.index import IndexLimitError
from schedctl.image.model import ImageClass, PolicyImage
from schedctl.profile.model import DEFAULT_CLASS, TOP_LEVEL, Tier
from schedctl.profile.times import MAX_DURATION_NS, MAX_SLICE_NS, MIN_DURATION_NS, MIN_SLICE_NS

MAX_WEIGHT = 10_000
_SHARES = (Fraction(1, 100), Fraction(9, 10))


def image_from(document: Any) -> PolicyImage:
    """What `to_document` gave; ValueError with a sentence about anything else."""
    try:
        image = PolicyImage.from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"not an image: {_said(error)}") from None
    if image.to_document() != document:
        raise ValueError("not an image: it has keys or values that an image does not have")
    _check_shares(image)
    names = {cls.name for cls in image.classes}
    if not image.classes or image.classes[0].name != DEFAULT_CLASS:
        raise ValueError(f"the first class is not {DEFAULT_CLASS!r}")
    for cls in image.classes:
        _check_class(cls)
    for rule in image.rules:
        if rule.class_name not in names:
            raise ValueError(f"a rule names class {rule.class_name!r}, which is not there")
    _check_bytes(image)
    return image


def _check_shares(image: PolicyImage) -> None:
    low, high = _SHARES
    shares = (image.fair_share, image.background_share)
    if any(share < low or (share * 1000).denominator != 1 for share in shares) or sum(shares) > high:
        raise ValueError("fair_share and background_share are whole per mille from 1%, together 90% at most")


def _check_class(cls: ImageClass) -> None:
    where = f"classes.{cls.name}"
    realtime = cls.tier is Tier.REALTIME
    numbers = (cls.level, cls.max_level, cls.weight, cls.threads, cls.timer_slack_ns, cls.slice_ns)
    times_ns = (cls.period_ns, cls.deadline_ns, cls.runtime_ns)
    if any(type(value) is not int or value < 0 for value in (*numbers, *times_ns)):
        raise ValueError(f"{where}: a value is not a whole number")
    times = {"period_ns": cls.period_ns, "deadline_ns": cls.deadline_ns, "runtime_ns": cls.runtime_ns}
    for key, ns in times.items():
        if ns and not (realtime and MIN_DURATION_NS <= ns <= MAX_DURATION_NS):
            raise ValueError(f"{where}.{key}: {ns} is out of range")
    if not MIN_SLICE_NS <= cls.slice_ns <= MAX_SLICE_NS:
        raise ValueError(f"{where}.slice_ns: {cls.slice_ns} is out of range")
    if not 1 <= cls.weight <= MAX_WEIGHT:
        raise ValueError(f"{where}.weight: {cls.weight} is out of range")
    steps = [step.level for step in cls.rate_monotonic]
    levels = [cls.level, *steps] if realtime else [1, *steps]
    if not all(1 <= level <= TOP_LEVEL for level in levels) or (cls.level and not realtime):
        raise ValueError(f"{where}.level: out of range")
    if not 0 <= cls.max_level <= TOP_LEVEL:
        raise ValueError(f"{where}.max_level: {cls.max_level} is out of range")


def _check_bytes(image: PolicyImage) -> None:
    """What does not come back from the kernel's bytes is too long, too large, or of another type."""
    try:
        same = abi.decode(abi.encode(image, 0, 1))[0] == image
    except (IndexLimitError, struct.error, LookupError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"the kernel cannot hold it: {_said(error)}") from None
    if not same:
        raise ValueError("the kernel cannot hold it: a name is too long, or a number too large")


def _said(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error) or type(error).__name__
