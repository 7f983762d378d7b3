# SPDX-License-Identifier: GPL-2.0-only
"""Profiles from text, for tests."""

from __future__ import annotations

from schedctl.profile import check_and_parse
from schedctl.profile.document import load_text
from schedctl.profile.model import Profile
from schedctl.resolve.assignment import Assignment, resolve
from schedctl.resolve.facts import HostFacts

HEAD = "schedctl: 1\nname: test\n"


def profile(text: str) -> Profile:
    """A profile called test from its policy and classes."""
    return check_and_parse(load_text(HEAD + text, "test.yaml"))


def assignment(text: str, facts: HostFacts | None = None) -> Assignment:
    return resolve(profile(text), facts)


def one_rule(item: str, keys: str = "level: 5", facts: HostFacts | None = None) -> Assignment:
    """One class `rt` with one item."""
    return assignment(f"classes:\n  rt: {{match: [{item}], {keys}}}\n", facts)
