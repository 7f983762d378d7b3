# SPDX-License-Identifier: GPL-2.0-only
"""What the daemon follows: everything that may have a say in the policy, found anew each time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from schedctl import paths
from schedctl.profile.library import DROPINS, SUFFIX, Library

_MAX_LINKS = 40
_ACCOUNTS = (Path("/etc/passwd"), Path("/etc/group"))

Signature = tuple[tuple[str, tuple[int, int, int] | None], ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """Real paths: folders in which every profile and folder of drop-ins counts, and single names."""

    folders: frozenset[Path]
    names: frozenset[Path]

    def concerns(self, path: Path) -> bool:
        return path in self.names or (path.parent in self.folders and path.name.endswith((SUFFIX, DROPINS)))

    def to_watch(self) -> frozenset[Path]:
        """The folders in which something may happen."""
        return self.folders | {path.parent for path in self.names}

    def signature(self) -> Signature:
        """Changes with whatever counts: for the change of which nobody was told."""
        inside = (path for folder in self.folders for path in _listed(folder) if self.concerns(path))
        return tuple((str(path), _version(path)) for path in sorted({*self.names, *inside}))


def followed(library: Library) -> Followed:
    """The profiles' folders, their drop-ins, what links among them lead to, schedctl.yaml, the selection."""
    folders: set[Path] = set()
    names: set[Path] = set()
    for folder in library.folders():
        names.update(_hops(folder))
        if folder.is_dir():
            folders.add(Path(os.path.realpath(folder)))
            for path in _listed(folder):
                if path.is_symlink() and path.name.endswith((SUFFIX, DROPINS)):
                    names.update(_hops(path))
    for path in (paths.standing_file(), paths.selected_file(), paths.pending_file(), *_ACCOUNTS):
        names.update(_hops(path))
    # a folder that is replaced as a whole, with the profiles in it
    names.update(Path(os.path.realpath(path.parent)) for path in (paths.standing_file(),))
    return Followed(frozenset(folders), frozenset(names))


def _hops(path: Path) -> Iterator[Path]:
    """The names on the way to what a path leads to: its links, its end, or the first that is missing."""
    pending, current, links = list(path.parts[1:]), Path("/"), 0
    while pending:
        part, *pending = pending
        if part == "..":
            current = current.parent
            continue
        current /= part
        try:
            target = Path(os.readlink(current))
        except OSError:
            if not pending or not os.path.lexists(current):
                yield current
                return
            continue
        yield current
        links += 1
        if links > _MAX_LINKS:
            return
        pending = [*target.parts, *pending]
        current = current.parent
        if target.is_absolute():
            current, pending = Path("/"), pending[1:]


def _listed(folder: Path) -> Iterable[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]
    except OSError:
        return []


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    if os.path.isdir(path):
        return status.st_ino, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns
