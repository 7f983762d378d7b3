# SPDX-License-Identifier: GPL-2.0-only
"""What is right, and yet worth knowing: one note per class at most."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from schedctl.errors import Problem
from schedctl.profile.document import Path_, Sourced, problem_at
from schedctl.profile.model import DEFAULT_CLASS, Overrun, ThreadClass

# From here on a class stands above nearly everything, the desktop included.
URGENT_LEVEL = 6


def note_of(document: Sourced, cls: ThreadClass) -> Problem | None:
    """The most important one of a class without problems."""
    root: Any = document.value
    here: Path_ = ("classes", cls.name)
    keys = root["classes"][cls.name]
    if cls.name == DEFAULT_CLASS or cls.level is None:
        return None
    if cls.overrun is Overrun.POSTPONE:
        return _note(
            document,
            (*here, "overrun"),
            "postpone protects the threads of the same level, not those of lower levels",
            "throttle, where lower levels must get their time too",
        )
    if cls.runtime_ns is None and max(cls.levels) >= URGENT_LEVEL:
        hint = "add 'runtime:'" if cls.period_ns else "add 'period:' and 'runtime:'"
        if cls.measured:
            hint = "a runtime needs a declared period"
        message = "only the shares of the other tiers bound what this class takes: it has no runtime"
        return _note(document, (*here, "level"), message, hint)
    if "max_level" in keys.get("boost", {}) and cls.recovery is None:
        message = "nothing lifts the threads of this class: it has no recovery"
        return _note(document, (*here, "boost", "max_level"), message, None)
    return None


def _note(document: Sourced, path: Path_, message: str, hint: str | None) -> Problem:
    return replace(problem_at(document.origin(path), path, message, hint), severity="note")
