# SPDX-License-Identifier: GPL-2.0-only
"""A PROFILE argument made a policy image, or a request to apply it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from schedctl import paths
from schedctl.change import Given, Wanted, wanted
from schedctl.choice import chosen, loader, standing
from schedctl.cli.foreign import foreign_document
from schedctl.cli.host import facts_for, load_facts
from schedctl.desired import Compiled, compiled_for
from schedctl.errors import PrivilegeError, StateError, UsageError
from schedctl.ownership import make_folder
from schedctl.profile.document import MAX_BYTES, read_file
from schedctl.profile.library import DROPINS
from schedctl.profile.load import Loaded, to_copy
from schedctl.profile.model import Profile
from schedctl.request import Request, Verb
from schedctl.selected import Choice, Selected, copy_of, read_selected

STDIN = "-"


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
    return compiled_for(profile, facts_for(profile, facts_file))


def given(word: str | None, persist: bool = False) -> Given:
    """What `apply` is about: without a word the standing choice, which also ends an earlier selection.

    What is given as a path or on standard input is a profile, an image (what `show` prints) or a plan.
    """
    if persist and (word is None or word == STDIN or is_path(word)):
        folder = paths.under_root("/etc/schedctl/profiles")
        hint = f"copy the file to {folder}, then `schedctl apply --persist NAME`"
        raise UsageError("--persist needs the name of a profile", hint if word else None)
    if word is None:
        return Given()
    if Path(word).parent.name.endswith(DROPINS):
        name = Path(word).parent.name.removesuffix(DROPINS)
        raise UsageError(f"{word} is a drop-in of {name}", f"`schedctl apply {name}` applies both")
    if persist:
        return Given(standing=word)
    if word != STDIN and not is_path(word):
        return Given(Selected.profile(word))
    return _from_file(word)


def _from_file(word: str) -> Given:
    data = sys.stdin.buffer.read(MAX_BYTES + 1) if word == STDIN else read_file(Path(word))
    file = "<stdin>" if word == STDIN else word
    if found := foreign_document(data, file):
        return Given(Selected.none(), found)
    profiles = loader()
    loaded = profiles.by_text(data, file) if word == STDIN else profiles.by_path(Path(word))
    return Given(copy_of(loaded.profile.name), to_copy(loaded))


def to_plan(word: str | None) -> Wanted:
    """The same for `plan`: without a word what is selected now, else what stands in schedctl.yaml."""
    if word is not None:
        return wanted(given(word))
    selected = read_selected(paths.selected_file())
    return wanted(Given() if selected.choice is Choice.NONE else Given(selected))


def request_to_apply(
    what: Given, diff: bool = False, within_ns: int | None = None, takeover: bool = False
) -> Request:
    """What is not followed is copied beside where it will be selected; StateError, PrivilegeError."""
    copy = None if what.copy is None else _prepare(what.copy)
    return Request(Verb.APPLY, what.selected, copy, what.standing, within_ns, diff, takeover)


def _prepare(data: bytes) -> Path:
    """A file beside the copies, which the process's end makes worthless: nothing that has to be synced."""
    path = paths.copies_dir() / f".new-{os.getpid()}-request"
    try:
        make_folder(path.parent)
        path.write_bytes(data)
        path.chmod(0o644)  # as what it is a copy of
    except PermissionError as error:
        raise PrivilegeError("apply needs root", "run it as root, for example with sudo") from error
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}", "make room") from error
    return path
