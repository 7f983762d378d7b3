# SPDX-License-Identifier: GPL-2.0-only
"""Who waits for a virtual machine, without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.lab.vm import cache, slot


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def at_the_turn() -> int:
    """Who holds it, and who waits for it."""
    inode = f":{(cache() / 'vm-turn').stat().st_ino} "
    return sum(inode in line for line in Path("/proc/locks").read_text().splitlines())


def test_who_came_first_is_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    order, end = list[str](), Event()

    def wait(name: str) -> None:
        with slot():
            order.append(name)
            end.wait()

    with ExitStack() as first, ExitStack() as second:
        first.enter_context(slot())
        second.enter_context(slot())
        threads = [Thread(target=wait, args=(name,)) for name in ("a", "b", "c")]
        for number, thread in enumerate(threads, 1):
            thread.start()
            until(partial(lambda number: at_the_turn() == number, number))
        assert order == []
        first.close()
        until(lambda: order == ["a"])
        until(lambda: at_the_turn() == 2)
        second.close()
        until(lambda: order == ["a", "b"])
        end.set()
        until(lambda: order == ["a", "b", "c"])
        for thread in threads:
            thread.join()
