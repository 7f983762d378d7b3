# SPDX-License-Identifier: GPL-2.0-only
"""Which file is in force: what a person selected since the boot, else the standing choice."""

from __future__ import annotations

from pathlib import Path

from schedctl import paths
from schedctl.errors import MissingError
from schedctl.profile import find_profile, load_standing
from schedctl.selected import Choice, Selected, read_selected


def chosen_file() -> Path | None:
    """The profile's file, or None where nothing is to run; MissingError, ProfileError, StateError."""
    return file_of(read_selected(paths.selected_file()))


def file_of(selected: Selected) -> Path | None:
    match selected.choice:
        case Choice.NONE:
            return None
        case Choice.COPY:
            return Path(selected.value)
        case Choice.PROFILE:
            return find_profile(selected.value, paths.profile_dirs())
        case Choice.STANDING:
            name = load_standing(paths.standing_file())
            return None if name is None else find_profile(name, paths.profile_dirs())


def standing_profile() -> Path:
    """The file of the profile that schedctl.yaml names; MissingError where it names none."""
    found = file_of(Selected())
    if found is None:
        raise MissingError(
            "no profile is selected",
            f"name one (`schedctl apply NAME`), or write `profile: NAME` to {paths.standing_file()}",
        )
    return found
