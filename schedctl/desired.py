# SPDX-License-Identifier: GPL-2.0-only
"""A profile's policy for this host."""

from __future__ import annotations

from dataclasses import dataclass

from schedctl.errors import Problem
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.kernel.hostinfo import read_facts
from schedctl.profile.model import Profile
from schedctl.resolve.accounts import names_of
from schedctl.resolve.assignment import Assignment, resolve
from schedctl.resolve.facts import HostFacts


@dataclass(frozen=True, slots=True)
class Compiled:
    """A profile's policy for one host; `problems` are warnings."""

    image: PolicyImage
    assignment: Assignment
    facts: HostFacts

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.assignment.problems


def compiled_for(profile: Profile, facts: HostFacts) -> Compiled:
    """Resolved and compiled; raises ProfileError with all problems."""
    assignment = resolve(profile, facts)
    return Compiled(compile_image(assignment), assignment, facts)


def compiled_here(profile: Profile) -> Compiled:
    """With this host's facts and accounts; raises ProfileError."""
    return compiled_for(profile, read_facts(names_of(profile)))
