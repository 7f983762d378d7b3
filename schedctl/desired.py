# SPDX-License-Identifier: GPL-2.0-only
"""A policy for this host, from whatever names one: a profile, a copy of one, or an image that ran before."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from schedctl import paths
from schedctl.choice import check_copy, load_selected
from schedctl.errors import MissingError, Problem, SchedctlError
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.kernel.hostinfo import read_facts
from schedctl.profile.load import Loaded, Loader
from schedctl.profile.model import CpuMax, Profile
from schedctl.ran import Ran
from schedctl.resolve.accounts import Names, names_of
from schedctl.resolve.assignment import Assignment, resolve
from schedctl.resolve.facts import HostFacts
from schedctl.selected import Choice, Selected

IMAGE_COPY = "schedctl_policy"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A profile's policy for one host; `problems` are warnings."""

    image: PolicyImage
    assignment: Assignment
    facts: HostFacts

    @property
    def cpu_max(self) -> CpuMax:
        return self.assignment.policy.cpu_max

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.assignment.problems


@dataclass(frozen=True, slots=True)
class Desired:
    """`compiled` is None where there is only an image: nobody knows the profile that it came from."""

    image: PolicyImage
    cpu_max: CpuMax
    compiled: Compiled | None = None

    @classmethod
    def of(cls, compiled: Compiled) -> Desired:
        return cls(compiled.image, compiled.cpu_max, compiled)

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self.compiled.problems if self.compiled else ()

    @property
    def facts(self) -> HostFacts:
        return self.compiled.facts if self.compiled else read_facts(Names())


def compiled_for(profile: Profile, facts: HostFacts) -> Compiled:
    """Resolved and compiled; raises ProfileError with all problems."""
    assignment = resolve(profile, facts)
    return Compiled(compile_image(assignment), assignment, facts)


def compiled_here(profile: Profile) -> Compiled:
    """With this host's facts and accounts; raises ProfileError."""
    return compiled_for(profile, read_facts(names_of(profile), virt=False))


def desired_by(selected: Selected, profiles: Loader) -> Desired | None:
    """What a selection means now; None where nothing is to run. MissingError, ProfileError, StateError."""
    if selected.choice is Choice.COPY:
        check_copy(Path(selected.value))
        with suppress(OSError):  # load_selected says what is wrong
            if found := image_in(Path(selected.value).read_bytes()):
                return found
    loaded: Loaded | None = load_selected(selected, profiles)
    return None if loaded is None else Desired.of(compiled_here(loaded.profile))


def to_image_copy(ran: Ran) -> bytes:
    """An image as a file that can be selected; the kernel ran `ran`, which is not None."""
    assert ran.image is not None
    return json.dumps({IMAGE_COPY: 1, **ran.to_document()}).encode()


def image_in(data: bytes) -> Desired | None:
    """None where it is something else; MissingError where it is a damaged image."""
    try:
        document = json.loads(data)
    except ValueError:
        return None
    if not isinstance(document, dict) or IMAGE_COPY not in document:
        return None
    try:
        ran = Ran.from_document(document)
        assert ran.image is not None
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError):
        raise MissingError("a damaged copy of an image", "`schedctl apply NAME`") from None
    return Desired(ran.image, ran.cpu_max)


def copy_of_image(image: PolicyImage) -> Selected:
    return Selected.copy(paths.copies_dir() / f"{image.profile}.image.json")


def still_means(selected: Selected, image: PolicyImage | None, profiles: Loader) -> bool:
    """Whether what was noted then leads to the same policy today."""
    try:
        desired = desired_by(selected, profiles)
    except SchedctlError:
        return False
    return (desired.image if desired else None) == image
