# SPDX-License-Identifier: GPL-2.0-only
"""A PROFILE argument made a policy image, and what applying it notes as selected."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from schedctl import paths
from schedctl.choice import chosen, loader, standing
from schedctl.cli.host import facts_for, load_facts
from schedctl.errors import Problem, UsageError
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.profile.document import MAX_BYTES
from schedctl.profile.library import DROPINS
from schedctl.profile.load import Loaded, to_copy
from schedctl.profile.model import Profile
from schedctl.resolve.assignment import Assignment, resolve
from schedctl.resolve.facts import HostFacts
from schedctl.selected import Selected

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A profile's policy for one host; `problems` are warnings."""

    image: PolicyImage
    assignment: Assignment
    facts: HostFacts

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.assignment.problems


@dataclass(frozen=True, slots=True)
class Source:
    """`copy` has the texts of a profile that is not followed: it came from a path or standard input."""

    compiled: Compiled
    selected: Selected
    copy: bytes | None = None
    standing: str | None = None
    """The name that schedctl.yaml is to have."""


def is_path(word: str) -> bool:
    return "/" in word or word.endswith(".yaml")


def load(word: str | None, facts_file: str | None = None) -> Loaded:
    """The profile that a word means, without one what is selected now, else what stands in schedctl.yaml.

    Raises MissingError or ProfileError.
    """
    profiles = loader(None if facts_file is None else lambda: load_facts(Path(facts_file)))
    if word is None:
        return chosen(profiles) or standing(profiles)
    if word == STDIN:
        return profiles.by_text(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>")
    return profiles.by_path(Path(word)) if is_path(word) else profiles.by_name(word)


def compiled(profile: Profile, facts_file: str | None = None) -> Compiled:
    """Resolved and compiled for this host, or for the one whose facts are in a file."""
    facts = facts_for(profile, facts_file)
    assignment = resolve(profile, facts)
    return Compiled(compile_image(assignment), assignment, facts)


def source_to_apply(word: str | None, persist: bool = False) -> Source:
    """Without a word the standing choice, which also ends an earlier selection."""
    if persist and (word is None or word == STDIN or is_path(word)):
        folder = paths.under_root("/etc/schedctl/profiles")
        hint = f"copy the file to {folder}, then `schedctl apply --persist NAME`"
        raise UsageError("--persist needs the name of a profile", hint if word else None)
    if word is None:
        return Source(compiled(standing(loader()).profile), Selected())
    if Path(word).parent.name.endswith(DROPINS):
        name = Path(word).parent.name.removesuffix(DROPINS)
        raise UsageError(f"{word} is a drop-in of {name}", f"`schedctl apply {name}` applies both")
    loaded = load(word)
    if persist:
        return Source(compiled(loaded.profile), Selected(), standing=word)
    if word != STDIN and not is_path(word):
        return Source(compiled(loaded.profile), Selected.profile(word))
    target = paths.run_dir() / "selected.d" / f"{loaded.profile.name}.json"
    return Source(compiled(loaded.profile), Selected.copy(target), to_copy(loaded))
