# SPDX-License-Identifier: GPL-2.0-only
"""From a file to a typed profile: load, schema, parse, rules."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from schedctl.errors import MissingError, Problem, ProfileError, sorted_problems
from schedctl.profile.document import Document, load_bytes, load_document
from schedctl.profile.model import Profile


def load_profile(path: Path) -> Profile:
    """Read, check and type one profile; raises MissingError, or ProfileError with all problems."""
    return check_and_parse(load_document(path))


def load_profile_bytes(data: bytes, file: str) -> Profile:
    """The same for text that has no file of its own (standard input, a copy)."""
    return check_and_parse(load_bytes(data, file), check_name=False)


def check_and_parse(document: Document, check_name: bool = True) -> Profile:
    """The typed profile with its warnings; raises ProfileError with all problems where one is an error."""
    from schedctl.profile.parse import parse_profile
    from schedctl.profile.rules import check_profile
    from schedctl.profile.schema import check_document

    problems = check_document(document, "profile")
    sound = _sound_part(document, problems) if problems else document
    if sound:
        profile = parse_profile(sound)
        problems += check_profile(sound, profile, check_name and not problems)
        if not any(problem.severity == "error" for problem in problems):
            return replace(profile, problems=sorted_problems(problems))
    raise ProfileError(tuple(problems))


def _sound_part(document: Document, problems: Iterable[Problem]) -> Document | None:
    """What the schema accepts: no class and no other key of the top with a problem; None without a top."""
    if not isinstance(document.value, dict):
        return None
    broken = {problem.path.partition("[")[0] for problem in problems}
    if broken & {"", "schedctl", "name", "classes"}:
        return None
    root = {key: value for key, value in document.value.items() if key not in _first_parts(broken, 1)}
    classes = document.value.get("classes")
    if isinstance(classes, dict):
        names = {path.partition(".")[2] for path in _first_parts(broken, 2)}
        root["classes"] = {name: keys for name, keys in classes.items() if name not in names}
    return replace(document, value=root)


def _first_parts(paths: Iterable[str], count: int) -> set[str]:
    return {".".join(path.split(".")[:count]) for path in paths}


def load_standing(path: Path) -> str | None:
    """The profile that schedctl.yaml names; None without the file or the key."""
    from schedctl.profile.schema import check_document

    if not path.exists():
        return None
    document = load_document(path)
    if document.value is None:
        return None
    if problems := check_document(document, "schedctl"):
        raise ProfileError(tuple(problems))
    assert isinstance(document.value, dict)
    name = document.value.get("profile")
    return str(name) if name is not None else None


def profile_names(dirs: Iterable[Path]) -> dict[str, Path]:
    """Name -> file of every profile; a higher directory (later) replaces, /dev/null removes."""
    found: dict[str, Path] = {}
    for directory in dirs:
        for path in sorted(directory.glob("*.yaml")):
            if os.path.realpath(path) == os.devnull:
                found.pop(path.stem, None)
            else:
                found[path.stem] = path
    return found


def find_profile(name: str, dirs: Iterable[Path]) -> Path:
    """The file of profile NAME; raises MissingError with a proposal."""
    names = profile_names(dirs)
    if name in names:
        return names[name]
    close = difflib.get_close_matches(name, names, 1, 0.6)
    known = ", ".join(sorted(names)) or "none"
    hint = f"did you mean {close[0]!r}?" if close else f"known profiles: {known}"
    raise MissingError(f"no profile {name!r}", hint)
