# SPDX-License-Identifier: GPL-2.0-only
"""What is noted as selected: prepared before the kernel changes, valid after it, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from schedctl import durable, paths
from schedctl.choice import loader
from schedctl.desired import copy_of_image, still_means, to_image_copy
from schedctl.errors import StateError
from schedctl.profile.persist import standing_change
from schedctl.ran import Ran
from schedctl.selected import Selected, read_selected, selection


@dataclass(frozen=True, slots=True)
class Notes:
    """`copy` is what the copy that `selected` names will contain; `standing` goes to schedctl.yaml."""

    selected: Selected
    copy: bytes | None = None
    standing: str | None = None


def notes_for(ran: Ran) -> Notes:
    """What was noted then, if it still means what ran; else a copy of that, which nothing follows."""
    if still_means(ran.selected, ran.image, loader()):
        return Notes(ran.selected)
    if ran.image is None:
        return Notes(Selected.none())
    return Notes(copy_of_image(ran.image), to_image_copy(ran))


def now_selected() -> Selected:
    """The note, or the standing choice where it cannot be read."""
    with suppress(StateError):
        return read_selected(paths.selected_file())
    return Selected()


class PreparedNotes:
    """All that can fail on a full disk has been written beside."""

    def __init__(self, notes: Notes) -> None:
        """Raises StateError; nothing has changed then."""
        self._stack = ExitStack()
        self._undo = ExitStack()
        # what gives a prepared file its name, and the file
        self._commits: list[tuple[Path, Callable[[], None]]] = []
        try:
            self._prepare(notes)
        except BaseException:
            self._stack.close()
            raise

    def _prepare(self, notes: Notes) -> None:
        if notes.standing is not None:
            path = paths.standing_file()
            stand = self._stack.enter_context(standing_change(path, notes.standing))
            self._commits.append((path, stand))
        if notes.copy is not None:
            path = Path(notes.selected.value)
            copied = self._stack.enter_context(durable.prepared(path, notes.copy))
            self._commits.append((path, copied.commit))
        if not _is_noted(notes.selected):
            path = paths.selected_file()
            note = self._stack.enter_context(selection(path, notes.selected))
            self._commits.append((path, note))

    def commit(self) -> None:
        """They take their names; where one cannot, those that did have their old content again."""
        try:
            for path, commit in self._commits:
                # before: a file can have its name, and its folder not be synced
                self._undo.callback(_restore, path, _content(path))
                commit()
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """After a commit: as before."""
        self._undo.close()

    def close(self) -> None:
        """Removes what was prepared and not committed."""
        self._stack.close()


def write_notes(notes: Notes) -> None:
    """Where the kernel does not change with them. StateError: the old ones stay."""
    prepared = PreparedNotes(notes)
    try:
        prepared.commit()
    finally:
        prepared.close()


def _is_noted(selected: Selected) -> bool:
    try:
        return read_selected(paths.selected_file()) == selected
    except StateError:
        return False  # it says nothing sensible, and is written anew


def _content(path: Path) -> bytes | None:
    with suppress(OSError):
        return path.read_bytes()
    return None


def _restore(path: Path, data: bytes | None) -> None:
    """What cannot be restored is said by whatever failed before it."""
    with suppress(StateError):
        if data is None:
            durable.remove(path)
        else:
            durable.write(path.resolve(), data)
