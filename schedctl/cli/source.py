# SPDX-License-Identifier: GPL-2.0-only
"""A PROFILE argument made a policy image, and what applying it notes as selected."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from schedctl import paths
from schedctl.choice import chosen_file, standing_profile
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.profile import check_and_parse, find_profile, load_profile, load_profile_bytes
from schedctl.profile.document import MAX_BYTES, load_bytes, read_file
from schedctl.profile.model import Profile
from schedctl.resolve.assignment import resolve
from schedctl.selected import Selected

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """`copy` is the text of a profile that is not followed: it came from a path or standard input."""

    image: PolicyImage
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


def compiled(profile: Profile) -> PolicyImage:
    return compile_image(resolve(profile))


def current_image() -> PolicyImage:
    """What is selected now, else what stands in schedctl.yaml."""
    return compiled(load_profile(chosen_file() or standing_profile()))


def source_to_apply(word: str | None) -> Source:
    """Without a word the standing choice, which also ends an earlier selection."""
    if word is None:
        return Source(compiled(load_profile(standing_profile())), Selected())
    profile, copy = load_source(word)
    image = compiled(profile)
    if copy is None:
        return Source(image, Selected.profile(word))
    target = paths.run_dir() / "selected.d" / f"{profile.name}.yaml"
    return Source(image, Selected.copy(target), copy)


def image_of(word: str | None) -> PolicyImage:
    """The policy that `show` and `plan` are about."""
    return current_image() if word is None else compiled(load_source(word)[0])
