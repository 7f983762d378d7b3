# SPDX-License-Identifier: GPL-2.0-only
"""This machine's profiles, and which is in force: what a person selected, else the standing choice."""

from __future__ import annotations

import pwd
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from schedctl import paths
from schedctl.errors import MissingError
from schedctl.ownership import check_ours
from schedctl.profile.library import Directory, Library, Rank
from schedctl.profile.load import Loaded, Loader
from schedctl.profile.settings import Settings, load_settings
from schedctl.resolve.facts import HostFacts
from schedctl.selected import Choice, Selected, read_selected


def settings() -> Settings:
    """schedctl.yaml; raises ProfileError."""
    return load_settings(paths.standing_file(), paths.under_root("/"))


def library() -> Library:
    directories = zip(paths.profile_dirs(), (Rank.PACKAGE, Rank.ADMINISTRATOR, Rank.RUNTIME), strict=True)
    root = paths.under_root("/")
    # a checkout's own profiles are as trustworthy as the code that runs
    return Library(
        tuple(Directory(path, rank, path.is_relative_to(root)) for path, rank in directories),
        root,
        _owners,
    )


def _owners() -> frozenset[int]:
    """The uids of `trusted_owners`; a name that nobody has is nobody's."""
    found: set[int] = set()
    for user in settings().trusted_owners:
        with suppress(KeyError):
            found.add(int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid)
    return frozenset(found)


def loader(host: Callable[[], HostFacts] | None = None) -> Loader:
    """Profiles as this machine reads them; `when` asks for the host's facts, which are read once."""

    @cache
    def facts() -> Mapping[str, Any]:
        return (host or this_host)().for_when()

    return Loader(library(), facts)


def this_host() -> HostFacts:
    from schedctl.kernel.hostinfo import read_facts
    from schedctl.resolve.accounts import Names

    return read_facts(Names(), settings().tags)


def chosen(profiles: Loader) -> Loaded | None:
    """The profile in force, or None where nothing is to run; MissingError, ProfileError, StateError."""
    return load_selected(read_selected(paths.selected_file()), profiles)


def load_selected(selected: Selected, profiles: Loader) -> Loaded | None:
    match selected.choice:
        case Choice.NONE:
            return None
        case Choice.COPY:
            check_copy(Path(selected.value))
            return profiles.by_copy(Path(selected.value))
        case Choice.PROFILE:
            return profiles.by_name(selected.value)
        case Choice.STANDING:
            name = settings().profile
            return None if name is None else profiles.by_name(name)


def check_copy(path: Path) -> None:
    """StateError where somebody else can change it."""
    with suppress(OSError):  # who reads it says what is wrong with it
        check_ours(path)


def standing(profiles: Loader) -> Loaded:
    """The profile that schedctl.yaml names; MissingError where it names none."""
    found = load_selected(Selected(), profiles)
    if found is None:
        raise MissingError(
            "no profile is selected",
            f"name one (`schedctl apply NAME`), or write `profile: NAME` to {paths.standing_file()}",
        )
    return found
