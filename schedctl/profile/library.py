# SPDX-License-Identifier: GPL-2.0-only
"""Where profiles lie: directories by rank, masks, drop-ins, and who may write there."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from schedctl.errors import MissingError, Problem, ProfileError
from schedctl.profile.document import Document, load_bytes, read_file
from schedctl.profile.trust import UntrustedError, check_trusted

SUFFIX = ".yaml"
DROPINS = ".yaml.d"


class Rank(StrEnum):
    """Lowest first."""

    PACKAGE = "package"
    ADMINISTRATOR = "administrator"
    RUNTIME = "runtime"
    BESIDE = "beside"
    """The folder of a file that was named by its path."""


@dataclass(frozen=True, slots=True)
class Directory:
    path: Path
    rank: Rank
    checked: bool = True
    """Whether only trusted users may be able to write to what lies there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One profile's files; `path` is the one that counts, masked or not. Drop-ins are in merge order."""

    name: str
    path: Path
    directory: Directory
    masked: bool
    dropins: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Library:
    """`root` is `/` but in tests; `owners` are uids that count as root's, asked for when it matters."""

    directories: tuple[Directory, ...] = ()
    root: Path = Path("/")
    owners: Callable[[], frozenset[int]] = field(default=frozenset)

    def beside(self, folder: Path) -> Library:
        """The same below a folder whose profiles a person named by path."""
        if any(folder == directory.path for directory in self.directories):
            return self
        own = Directory(folder, Rank.BESIDE, checked=False)
        return Library((*self.directories, own), self.root, self.owners)

    def entries(self) -> dict[str, Entry]:
        """Name -> files, masked ones too."""
        found: dict[str, tuple[Path, Directory]] = {}
        for directory in self.directories:
            for path in _files(directory.path):
                found[path.name.removesuffix(SUFFIX)] = path, directory
        return {name: self._entry(name, *found[name]) for name in sorted(found)}

    def find(self, name: str) -> Entry:
        """Raises MissingError with a proposal."""
        for directory in reversed(self.directories):
            path = directory.path / f"{name}{SUFFIX}"
            if os.path.lexists(path):
                entry = self._entry(name, path, directory)
                if entry.masked:
                    raise MissingError(f"the profile {name!r} is masked", f"{path} is a link to {os.devnull}")
                return entry
        known = [entry.name for entry in self.entries().values() if not entry.masked]
        close = difflib.get_close_matches(name, known, 1, 0.6)
        hint = f"did you mean {close[0]!r}?" if close else f"known profiles: {', '.join(known) or 'none'}"
        raise MissingError(f"no profile {name!r}", hint)

    def _entry(self, name: str, path: Path, directory: Directory) -> Entry:
        if _is_mask(path):
            return Entry(name, path, directory, True, ())
        return Entry(name, path, directory, False, tuple(self._dropins(name)))

    def _dropins(self, name: str) -> Iterator[Path]:
        found: dict[str, Path] = {}
        for directory in self.directories:
            for path in _files(directory.path / f"{name}{DROPINS}"):
                found[path.name] = path
        for base in sorted(found):
            if not _is_mask(found[base]):
                yield found[base]

    def read(self, path: Path) -> Document:
        """A file of the directories; raises ProfileError where it cannot be used, and says why."""
        try:
            if not self._is_checked(path):
                return load_bytes(read_file(path), str(path))
            status = check_trusted(path.absolute(), self.root, self.owners)
            if not stat.S_ISREG(status.st_mode):
                raise UntrustedError("not a file", "profiles are files, or links to files")
            return load_bytes(read_file(path, (status.st_dev, status.st_ino)), str(path))
        except UntrustedError as error:
            raise _refused(path, str(error), error.hint) from None
        except FileNotFoundError:
            message = (
                f"a link to what is not there: {os.readlink(path)}" if path.is_symlink() else "not there"
            )
            raise _refused(path, message, "repair or remove the link") from None
        except OSError as error:
            raise _refused(path, error.strerror or str(error)) from None
        except MissingError as error:
            raise _refused(path, error.message.removeprefix(f"{path}: "), error.hint) from None

    def rank_of(self, path: Path) -> Rank:
        for directory in self.directories:
            if directory.path in path.parents:
                return directory.rank
        return Rank.BESIDE

    def _is_checked(self, path: Path) -> bool:
        return any(directory.checked for directory in self.directories if directory.path in path.parents)

    def folders(self) -> Iterable[Path]:
        """Every folder whose files count: those of the profiles, and those of their drop-ins."""
        for directory in self.directories:
            yield directory.path
            try:
                names = sorted(os.listdir(directory.path))
            except OSError:
                continue
            yield from (directory.path / name for name in names if name.endswith(DROPINS))


def _files(folder: Path) -> list[Path]:
    """What ends in .yaml, by name; nothing where the folder is missing or cannot be read."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [folder / name for name in sorted(names) if name.endswith(SUFFIX) and not name.startswith(".")]


def _is_mask(path: Path) -> bool:
    return os.path.realpath(path) == os.devnull


def _refused(path: Path, message: str, hint: str | None = None) -> ProfileError:
    return ProfileError((Problem("error", str(path), 0, 0, "", message, hint),))
