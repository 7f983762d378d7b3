# SPDX-License-Identifier: GPL-2.0-only
"""Files that are no profiles and can be applied all the same: images and plans, known by their first key."""

from __future__ import annotations

import json
from typing import Any

from schedctl.desired import to_image_copy
from schedctl.errors import ProfileError
from schedctl.image.accept import image_from
from schedctl.image.model import PolicyImage
from schedctl.plan_file import PLAN_KEY
from schedctl.profile.document import Document, load_bytes, problem_at
from schedctl.profile.model import CpuMax
from schedctl.ran import Ran
from schedctl.selected import Selected

IMAGE_KEY = "schedctl_image"
_OUTPUT_KEY = "schedctl_output"
_KEYS = (IMAGE_KEY, PLAN_KEY, _OUTPUT_KEY)


def foreign_document(data: bytes, file: str) -> bytes | None:
    """The file as the copy that a request names; None where it is a profile. ProfileError."""
    if not any(key.encode() in data for key in _KEYS):
        return None
    document = load_bytes(data, file)
    value: Any = document.value
    if not isinstance(value, dict):
        return None
    if _OUTPUT_KEY in value:  # what `show --json` printed around it
        value = value.get("image")
        if not isinstance(value, dict):
            return None
    if IMAGE_KEY in value:
        return to_image_copy(Ran(_image(document, value), CpuMax.REFUSE, Selected.none()))
    if PLAN_KEY not in value:
        return None
    _check_plan(document, value)
    return json.dumps(value).encode()


def _image(document: Document, value: Any) -> PolicyImage:
    try:
        return image_from(value)
    except ValueError as error:
        hint = "`schedctl show` prints images; a profile is easier to write"
        raise ProfileError((problem_at(document.origin(()), (), str(error), hint),)) from None


def _check_plan(document: Document, value: Any) -> None:
    try:
        image_from(value["desired"]["image"])
        CpuMax(value["desired"]["cpu_max"])
    except (KeyError, TypeError, ValueError) as error:
        said = f"not a plan: {error}"
        hint = "`schedctl plan -o FILE` writes plans, and this schedctl only reads its own"
        raise ProfileError((problem_at(document.origin(()), (), said, hint),)) from None
