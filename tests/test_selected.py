# SPDX-License-Identifier: GPL-2.0-only
"""The note and the lock: whatever ends the process, the old note stands or the new one."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from schedctl import durable, lock, selected
from schedctl.errors import StateError
from schedctl.lock import LockHeldError, locked
from schedctl.selected import Selected, read_selected, selection, write_selected
from tests import process

OLD, NEW = Selected.profile("old"), Selected.profile("new")
SOURCES = (lock.__file__, selected.__file__, durable.__file__)
# More than the lines that one change of the note runs through.
MANY = 200


@pytest.mark.parametrize(
    "choice", [Selected(), Selected.none(), OLD, Selected.copy(Path("/run/schedctl/selected.d/a b.yaml"))]
)
def test_what_is_written_is_read(tmp_path: Path, choice: Selected) -> None:
    write_selected(tmp_path / "run" / "selected", choice)
    assert read_selected(tmp_path / "run" / "selected") == choice


@pytest.mark.parametrize("data", [b"", b"\n", b"old\nnew\n", b"\xff\n"])
def test_a_broken_note_is_said(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "selected"
    path.write_bytes(data)
    with pytest.raises(StateError) as caught:
        read_selected(path)
    assert caught.value.hint == "`schedctl apply NAME` writes it anew"
    write_selected(path, NEW)
    assert read_selected(path) == NEW


def test_a_prepared_note_counts_only_when_committed(tmp_path: Path) -> None:
    path = tmp_path / "selected"
    write_selected(path, OLD)
    with selection(path, NEW):
        assert read_selected(path) == OLD
    assert read_selected(path) == OLD
    assert list(tmp_path.iterdir()) == [path]
    with selection(path, NEW) as commit:
        commit()
    assert read_selected(path) == NEW
    assert list(tmp_path.iterdir()) == [path]


def killed_at(line: int, function: Callable[[], object]) -> int:
    """The function's process, which ends by SIGKILL before the n-th line of the note's files."""
    left = line

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in SOURCES:
            return None
        if event == "line":
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    def traced() -> None:
        sys.settrace(trace)
        function()

    return process.run(traced)


@pytest.mark.parametrize("new", [NEW, Selected(), Selected.none()], ids=lambda choice: str(choice.choice))
def test_a_killed_process_leaves_the_old_note_or_the_new(tmp_path: Path, new: Selected) -> None:
    path = tmp_path / "selected"

    def change() -> None:
        with locked(tmp_path / "lock", 0):
            write_selected(path, new)

    seen = []
    for line in range(1, MANY):
        write_selected(path, OLD)
        status = killed_at(line, change)
        seen.append(read_selected(path))
        with locked(tmp_path / "lock", 0):
            pass
        if status != -signal.SIGKILL:
            break
    assert status == 0
    assert set(seen) == {OLD, new}
    assert seen == sorted(seen, key=[OLD, new].index), "once it is new, it stays so"
    assert len(seen) > 20


def test_a_full_disk_leaves_the_old_note(tmp_path: Path) -> None:
    path = tmp_path / "selected"
    write_selected(path, OLD)

    def change() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        write_selected(path, NEW)

    assert process.run(change) == StateError.exit_code == 73
    assert read_selected(path) == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_shows_before_the_kernel_is_changed(tmp_path: Path) -> None:
    def change() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        with selection(tmp_path / "selected", NEW):
            os._exit(1)

    assert process.run(change) == StateError.exit_code


def test_a_held_lock_is_said_in_time_and_ends_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"

    def hold(begun: Callable[[], object]) -> None:
        with locked(path):
            begun()
            signal.pause()

    with process.running(hold) as kill:
        begin = time.monotonic()
        with pytest.raises(LockHeldError) as caught, locked(path, 0.1):
            pytest.fail("the lock was held twice")
        assert 0.1 <= time.monotonic() - begin < 10
        assert caught.value.exit_code == 75
        assert str(path) in caught.value.message
        kill()
        with locked(path, 0):
            pass


def test_one_who_waits_gets_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    def hold_a_while(begun: Callable[[], object]) -> None:
        with locked(path):
            begun()
            time.sleep(0.15)

    with process.running(hold_a_while), locked(path, 10):
        pass


def test_a_place_that_is_no_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(StateError), locked(tmp_path / "run" / "lock"):
        pytest.fail("locked")
    with pytest.raises(StateError):
        write_selected(tmp_path / "run" / "selected", NEW)
