# SPDX-License-Identifier: GPL-2.0-only
"""What of some folders a power cut leaves: what was synced, file by file and folder by folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.faults.ptrace import Call
from tests.faults.steps import Step


class Disk:
    """All that is there at the start is on the disk. `done` sees each call, `cut` takes the power away."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._contents: dict[int, bytes] = {}  # of a file, by its inode
        self._entries: dict[int, dict[str, int]] = {}  # of a folder: name to inode
        for folder in folders:
            for parent, _, names in os.walk(folder):
                self._sync_folder(Path(parent))
                for name in names:
                    self._sync_file(Path(parent, name))

    def done(self, call: Call, step: Step) -> None:
        """`step` was carried out, whether or not it succeeded."""
        if not step.paths or call.result is None or call.result < 0:
            return
        path = Path(step.paths[0])
        if not any(path.is_relative_to(folder) for folder in self._folders):
            return
        if step.call in ("create", "truncate"):
            self._contents.pop(path.stat().st_ino, None)  # the number may have been another file's
        elif step.call in ("fsync", "fdatasync"):
            if path.is_dir():
                self._sync_folder(path)
            elif path.exists():
                self._sync_file(path)

    def _sync_file(self, path: Path) -> None:
        self._contents[path.stat().st_ino] = path.read_bytes()

    def _sync_folder(self, path: Path) -> None:
        entries = {name: (path / name).stat().st_ino for name in os.listdir(path)}
        self._entries[path.stat().st_ino] = entries

    def cut(self, empty: bool) -> None:
        """`empty`: the disk wrote all names and no content; else it wrote nothing that was not synced."""
        for folder in self._folders:
            found: dict[Path, bytes] = {}
            self._collect(folder, empty, found, Path())
            shutil.rmtree(folder)
            folder.mkdir()
            for path, content in found.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)

    def _collect(self, folder: Path, empty: bool, found: dict[Path, bytes], below: Path) -> None:
        entries = self._names(folder) if empty else self._entries.get(folder.stat().st_ino, {})
        there = {inode: name for name, inode in self._names(folder).items()}
        for name, inode in entries.items():
            path = folder / there.get(inode, name)
            if path.is_dir():
                self._collect(path, empty, found, below / name)
            else:
                found[below / name] = self._contents.get(inode, b"")

    @staticmethod
    def _names(folder: Path) -> dict[str, int]:
        return {name: (folder / name).stat().st_ino for name in os.listdir(folder)}
