# SPDX-License-Identifier: GPL-2.0-only
"""Small files that must survive a power cut or not be there at all: written beside, synced, renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from schedctl.errors import StateError
from schedctl.ownership import check_ours, is_ours, make_folder

MODE = 0o644
PRIVATE = 0o600
_PREFIX = ".new-"


class Prepared:
    """A file's new content beside it: what a full disk refuses shows before anything else has changed."""

    def __init__(self, path: Path, data: bytes, mode: int = MODE) -> None:
        """Raises StateError; the old file is as it was."""
        self._path = path
        try:
            if is_ours(path):
                make_folder(path.parent)
            else:
                path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._beside: Path | None = _write(path.parent, data, mode)
        except OSError as error:
            raise unwritable(path, error) from error

    def commit(self) -> None:
        """The new content takes its name; after this a power cut does not undo it. StateError."""
        assert self._beside is not None
        try:
            self._beside.replace(self._path)
            self._beside = None
            sync_folder(self._path.parent)
        except OSError as error:
            raise unwritable(self._path, error) from error

    def discard(self) -> None:
        """Removes what was prepared and not committed."""
        if self._beside is not None:
            with suppress(OSError):
                self._beside.unlink(missing_ok=True)
        self._beside = None


def _write(folder: Path, data: bytes, mode: int) -> Path:
    import tempfile  # who only reads does not wait for it

    descriptor, name = tempfile.mkstemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


@contextmanager
def prepared(path: Path, data: bytes, mode: int = MODE) -> Iterator[Prepared]:
    """Nothing is left beside the file, whatever happens inside."""
    file = Prepared(path, data, mode)
    try:
        yield file
    finally:
        file.discard()


def write(path: Path, data: bytes, mode: int = MODE) -> None:
    """The whole new content, or the old one and StateError."""
    with prepared(path, data, mode) as file:
        file.commit()


def write_json(path: Path, document: dict[str, Any], mode: int = MODE) -> None:
    write(path, as_json(document), mode)


def as_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode() + b"\n"


def read_json(path: Path) -> dict[str, Any] | None:
    """None where there is no such file; StateError where it cannot be read or is no mapping."""
    try:
        if is_ours(path):
            check_ours(path)
        document = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError):
        raise StateError(f"{path} is damaged") from None
    if not isinstance(document, dict):
        raise StateError(f"{path} is damaged")
    return document


def remove(path: Path) -> None:
    """Gone, across a power cut too; StateError. Nothing where there is none."""
    try:
        if os.path.lexists(path):
            path.unlink()
            sync_folder(path.parent)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise unwritable(path, error) from error


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove what processes that have ended left beside their files; what cannot be removed stays."""
    with suppress(OSError):
        for path in list(folder.iterdir()):
            pid = path.name.removeprefix(_PREFIX).partition("-")[0]
            if path.name.startswith(_PREFIX) and not Path(f"/proc/{pid}").exists():
                path.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> StateError:
    return StateError(f"cannot write {path}: {error.strerror}", "make room or remount it writable")
