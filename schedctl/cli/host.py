# SPDX-License-Identifier: GPL-2.0-only
"""The facts that a verb resolves a profile against: this host's, or those of --facts FILE."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from schedctl.errors import ProfileError
from schedctl.profile.document import Document, load_document
from schedctl.profile.model import Profile
from schedctl.resolve.accounts import names_of
from schedctl.resolve.facts import HostFacts


def facts_for(profile: Profile, file: str | None) -> HostFacts:
    """This host's facts, with the accounts that the profile names, or those in a file."""
    if file is not None:
        return load_facts(Path(file))
    from schedctl.kernel.hostinfo import read_facts

    return read_facts(names_of(profile))


def load_facts(path: Path) -> HostFacts:
    """The facts in a file: the document alone, or what `schedctl facts --json` printed around it.

    Raises MissingError, or ProfileError with all problems of the file.
    """
    from schedctl.profile.schema import check_document

    document = load_document(path)
    if isinstance(document.value, dict) and "schedctl_output" in document.value:
        document = _below(document, "facts")
    if problems := check_document(document, "facts"):
        raise ProfileError(tuple(problems))
    value: Any = document.value
    return HostFacts.from_document(value)


def _below(document: Document, key: str) -> Document:
    assert isinstance(document.value, dict)
    return replace(
        document,
        value=document.value.get(key),
        origins={path[1:]: place for path, place in document.origins.items() if path[:1] == (key,)},
        keys={path[1:]: place for path, place in document.keys.items() if path[:1] == (key,) and path[1:]},
    )
