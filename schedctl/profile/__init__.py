# SPDX-License-Identifier: GPL-2.0-only
"""From a file to a typed profile, where no directories of profiles are concerned."""

from __future__ import annotations

from pathlib import Path

from schedctl.profile.document import Document
from schedctl.profile.library import SUFFIX
from schedctl.profile.load import Loader
from schedctl.profile.model import Profile


def load_profile(path: Path) -> Profile:
    """Read, check and type one profile; raises MissingError, or ProfileError with all problems."""
    return Loader().by_path(path).profile


def load_profile_bytes(data: bytes, file: str) -> Profile:
    """The same for text that has no file of its own (standard input)."""
    return Loader().by_text(data, file).profile


def check_and_parse(document: Document) -> Profile:
    """The typed profile with its warnings; raises ProfileError with all problems where one is an error."""
    file = document.file
    name = file.rpartition("/")[2].removesuffix(SUFFIX) if file.endswith(SUFFIX) else None
    return Loader().by_document(document, name).profile
