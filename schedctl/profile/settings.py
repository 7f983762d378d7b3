# SPDX-License-Identifier: GPL-2.0-only
"""schedctl.yaml: the standing choice of a machine, and what its profiles may rely on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schedctl.errors import ProfileError
from schedctl.profile.library import Directory, Library, Rank


@dataclass(frozen=True, slots=True)
class Settings:
    """`trusted_owners` are users by name or decimal number."""

    profile: str | None = None
    tags: tuple[str, ...] = ()
    trusted_owners: tuple[str, ...] = ()


def load_settings(path: Path, root: Path) -> Settings:
    """The settings in a file, defaults where there is none; ProfileError with all its problems.

    Only the owner of `root` may be able to write to it: it says who else is trusted.
    """
    from schedctl.profile.schema import check_document

    if not path.exists():
        return Settings()
    document = Library((Directory(path.parent, Rank.ADMINISTRATOR),), root).read(path)
    if document.value is None:
        return Settings()
    if problems := check_document(document, "schedctl"):
        raise ProfileError(tuple(problems))
    value: Any = document.value
    return Settings(
        value.get("profile"),
        tuple(value.get("tags", ())),
        tuple(map(str, value.get("trusted_owners", ()))),
    )
