# SPDX-License-Identifier: GPL-2.0-only
"""/run/schedctl/selected: what a person chose since the boot.

Absent = the standing choice of schedctl.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from schedctl import durable, paths
from schedctl.errors import StateError

_NOTHING = "none"


class Choice(StrEnum):
    STANDING = "standing"
    """What /etc/schedctl/schedctl.yaml names; nothing is noted."""
    PROFILE = "profile"
    """A profile's name, followed."""
    COPY = "copy"
    """The absolute path of a copied profile, not followed."""
    NONE = "none"
    """Detached by a person: attach nothing."""


@dataclass(frozen=True, slots=True)
class Selected:
    choice: Choice = Choice.STANDING
    value: str = ""

    @classmethod
    def profile(cls, name: str) -> Selected:
        return cls(Choice.PROFILE, name)

    @classmethod
    def copy(cls, path: Path) -> Selected:
        return cls(Choice.COPY, str(path))

    @classmethod
    def none(cls) -> Selected:
        return cls(Choice.NONE)


def copy_of(name: str) -> Selected:
    """A copy of a profile of this name, where copies lie."""
    return Selected.copy(paths.copies_dir() / f"{name}.json")


def read_selected(path: Path) -> Selected:
    """The note on disk; StateError where it cannot be read or says nothing sensible."""
    try:
        text = path.read_text(encoding="utf-8").removesuffix("\n")
    except FileNotFoundError:
        return Selected()
    except (OSError, UnicodeError) as error:
        raise StateError(
            f"cannot read {path}: {error}", hint="`schedctl apply NAME` writes it anew"
        ) from error
    if text == _NOTHING:
        return Selected.none()
    if text.startswith("/"):
        return Selected.copy(Path(text))
    if not text or "\n" in text:
        raise StateError(
            f"{path} says neither a profile nor `none`", hint="`schedctl apply NAME` writes it anew"
        )
    return Selected.profile(text)


def write_selected(path: Path, selected: Selected) -> None:
    """Note the choice atomically; StateError on a full or read-only disk leaves the old note."""
    with selection(path, selected) as commit:
        commit()


@contextmanager
def selection(path: Path, selected: Selected) -> Iterator[Callable[[], None]]:
    """Yield the function that makes the prepared note valid: a full disk shows before the kernel changes."""
    if selected.choice is Choice.STANDING:
        yield lambda: durable.remove(path)
        return
    text = (selected.value or _NOTHING) + "\n"
    with durable.prepared(path, text.encode()) as file:
        yield file.commit
