# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel ran, in a form that can be brought back: its image, not the profile, which may change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from schedctl.image.model import PolicyImage
from schedctl.profile.model import CpuMax
from schedctl.selected import Choice, Selected
from schedctl.sha256 import sha256_hex

HASH_SHOWN = 12


def policy_hash(image: PolicyImage) -> str:
    """SHA-256 of what a policy says, in hex."""
    text = json.dumps(image.to_document(), sort_keys=True, separators=(",", ":"))
    return sha256_hex(text.encode())


@dataclass(frozen=True, slots=True)
class Ran:
    """`image` is None where nothing was attached; `selected` is what was noted then.

    `cpu_max` is the profile's word on CPU quotas, which the image does not have.
    """

    image: PolicyImage | None
    cpu_max: CpuMax
    selected: Selected

    @property
    def profile(self) -> str | None:
        return self.image.profile if self.image else None

    @property
    def hash(self) -> str | None:
        return policy_hash(self.image) if self.image else None

    def to_document(self) -> dict[str, Any]:
        return {
            "image": self.image.to_document() if self.image else None,
            "cpu_max": self.cpu_max.value,
            "selected": {"choice": self.selected.choice.value, "value": self.selected.value},
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Ran:
        """Raises KeyError, TypeError, ValueError or AttributeError on anything else."""
        image, selected = document["image"], document["selected"]
        return cls(
            None if image is None else PolicyImage.from_document(image),
            CpuMax(document["cpu_max"]),
            Selected(Choice(selected["choice"]), str(selected["value"])),
        )
