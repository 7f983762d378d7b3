# SPDX-License-Identifier: GPL-2.0-only
"""A PROFILE argument made a policy image, and what applying it notes as selected."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from schedctl import paths
from schedctl.choice import chosen_file, standing_profile
from schedctl.cli.host import facts_for
from schedctl.errors import Problem
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.profile import check_and_parse, find_profile, load_profile, load_profile_bytes
from schedctl.profile.document import MAX_BYTES, load_bytes, read_file
from schedctl.profile.model import Profile
from schedctl.resolve.assignment import Assignment, resolve
from schedctl.resolve.facts import HostFacts
from schedctl.selected import Selected

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A profile's policy for one host; `problems` are warnings and notes."""

    image: PolicyImage
    assignment: Assignment
    facts: HostFacts

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.assignment.problems


@dataclass(frozen=True, slots=True)
class Source:
    """`copy` is the text of a profile that is not followed: it came from a path or standard input."""

    compiled: Compiled
    selected: Selected
    copy: bytes | None = None


def is_path(word: str) -> bool:
    return "/" in word or word.endswith(".yaml")


def load_source(word: str) -> tuple[Profile, bytes | None]:
    """The profile that a word means; raises MissingError or ProfileError."""
    if word == STDIN:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
        return load_profile_bytes(data, "<stdin>"), data
    if is_path(word):
        data = read_file(Path(word))
        return check_and_parse(load_bytes(data, word)), data
    return load_profile(find_profile(word, paths.profile_dirs())), None


def compiled(profile: Profile, facts_file: str | None = None) -> Compiled:
    """Resolved and compiled for this host, or for the one whose facts are in a file."""
    facts = facts_for(profile, facts_file)
    assignment = resolve(profile, facts)
    return Compiled(compile_image(assignment), assignment, facts)


def current_profile() -> Profile:
    """What is selected now, else what stands in schedctl.yaml."""
    return load_profile(chosen_file() or standing_profile())


def source_to_apply(word: str | None) -> Source:
    """Without a word the standing choice, which also ends an earlier selection."""
    if word is None:
        return Source(compiled(load_profile(standing_profile())), Selected())
    profile, copy = load_source(word)
    if copy is None:
        return Source(compiled(profile), Selected.profile(word))
    target = paths.run_dir() / "selected.d" / f"{profile.name}.yaml"
    return Source(compiled(profile), Selected.copy(target), copy)


def profile_of(word: str | None) -> Profile:
    """The profile that `show`, `plan` and `explain` are about."""
    return current_profile() if word is None else load_source(word)[0]
