# SPDX-License-Identifier: GPL-2.0-only
"""The one lock: a holder that lives is named, one that was killed holds nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from schedctl import paths
from schedctl.errors import ConflictError
from schedctl.lock import LockHeldError, locked
from schedctl.presence import daemon_runs, only_daemon
from tests import process


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    return paths.lock_file()


def hold(begun: Callable[[], object]) -> None:
    with locked(paths.lock_file()):
        Path(paths.run_dir() / "holder").write_text(str(os.getpid()))
        begun()
        time.sleep(60)


def test_who_holds_it_is_named(lock: Path) -> None:
    with process.running(hold), pytest.raises(LockHeldError) as caught, locked(lock, 0.1):
        pass
    pid = (paths.run_dir() / "holder").read_text()
    assert caught.value.message.startswith(f"process {pid} (`")
    assert caught.value.message.endswith(f" holds {lock} for more than 0.1 s")
    assert caught.value.exit_code == 75


def test_one_that_was_killed_holds_nothing(lock: Path) -> None:
    with process.running(hold) as kill:
        kill()
        with locked(lock, 0.1):
            pass


def test_there_is_one_daemon(lock: Path) -> None:
    def serve(begun: Callable[[], object]) -> None:
        with only_daemon():
            begun()
            time.sleep(60)

    with process.running(serve) as kill:
        assert daemon_runs()
        with pytest.raises(ConflictError, match=r"another schedctld runs: process \d+"), only_daemon():
            pass
        assert daemon_runs(), "the note is the first one's"
        kill()
        assert not daemon_runs()
        with only_daemon():
            assert daemon_runs()
