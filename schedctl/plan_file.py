# SPDX-License-Identifier: GPL-2.0-only
"""A plan as a file: what is to run, and what ran when it was made, so that it is never applied to less."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from schedctl.errors import ConflictError, MissingError
from schedctl.image.model import PolicyImage
from schedctl.observe import Observation
from schedctl.plan import diff
from schedctl.ran import Ran

PLAN_VERSION = 1
PLAN_KEY = "schedctl_plan"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class PlanFile:
    """`desired.selected` is what is noted once it is applied; `live` is None where nothing was attached."""

    desired: Ran
    live: PolicyImage | None

    def to_document(self) -> dict[str, Any]:
        return {
            PLAN_KEY: PLAN_VERSION,
            "profile": self.desired.profile,
            "desired": self.desired.to_document(),
            "live": self.live.to_document() if self.live else None,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> PlanFile:
        """Raises KeyError, TypeError, ValueError or AttributeError on anything else."""
        if document[PLAN_KEY] != PLAN_VERSION:
            raise ValueError(f"plan version {document[PLAN_KEY]!r}")
        live = document["live"]
        desired = Ran.from_document(document["desired"])
        if desired.image is None:
            raise ValueError("a plan for nothing")
        return cls(desired, None if live is None else PolicyImage.from_document(live))

    def refuse_stale(self, observation: Observation) -> None:
        """ConflictError that names what has moved since the plan was made."""
        now = observation.image
        if now == self.live:
            return
        if now is None:
            assert self.live is not None
            moved = [f"profile {self.live.profile} ran, and nothing is attached now"]
        elif self.live is None:
            moved = [f"nothing was attached, and profile {now.profile} runs now"]
        else:
            changes = diff(self.live, now)
            moved = [change.line() for change in changes[:_SHOWN]]
            if len(changes) > _SHOWN:
                moved.append(f"and {len(changes) - _SHOWN} more")
        raise ConflictError(
            "\n  ".join(["the plan is stale, what runs has moved on:", *moved]), "make a new plan"
        )


def plan_in(data: bytes) -> PlanFile | None:
    """None where it is something else; MissingError where it is a damaged plan."""
    try:
        document = json.loads(data)
    except ValueError:
        return None
    if not isinstance(document, dict) or PLAN_KEY not in document:
        return None
    try:
        return PlanFile.from_document(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MissingError(f"not a plan: {error}", "`schedctl plan -o FILE` makes one") from None
