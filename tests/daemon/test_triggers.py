# SPDX-License-Identifier: GPL-2.0-only
"""The queue that the loop waits at: triggers from anywhere, and one descriptor."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty

import pytest

from schedctl.daemon import triggers
from schedctl.daemon.files import Followed
from schedctl.daemon.triggers import PAUSES_S, Trigger, TriggerQueue, Watcher

IN_ACCESS, IN_CLOSE_NOWRITE, IN_OPEN = 0x1, 0x10, 0x20


@pytest.fixture
def queue() -> TriggerQueue:
    return TriggerQueue()


def test_triggers_in_order_and_nothing_else(queue: TriggerQueue) -> None:
    for trigger in (Trigger.FILES, Trigger.RELOAD, Trigger.FILES):
        queue.put(trigger)
    assert [queue.get(0) for _ in range(3)] == [Trigger.FILES, Trigger.RELOAD, Trigger.FILES]
    assert queue.empty()
    for timeout in (0, 0.05):
        with pytest.raises(Empty):
            queue.get(timeout)


def test_another_thread_and_a_signal_wake_it(queue: TriggerQueue) -> None:
    threading.Timer(0.1, lambda: queue.put(Trigger.FILES)).start()
    assert queue.get() is Trigger.FILES
    before = signal.signal(signal.SIGUSR1, lambda *_: queue.put(Trigger.STOP))
    try:
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        assert queue.get(10) is Trigger.STOP
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_events_wake_it_and_not_oftener_than_the_pause(queue: TriggerQueue) -> None:
    pause_s, events = PAUSES_S[Trigger.EVENTS], os.eventfd(1)
    queue.attend(Trigger.EVENTS, events)
    start, count = time.monotonic(), 0
    while time.monotonic() < start + 5.5 * pause_s:
        try:
            count += queue.get(0.2) is Trigger.EVENTS
        except Empty:
            pytest.fail("it is readable all the time")
    assert 4 <= count <= 7
    queue.put(Trigger.FILES)
    assert queue.get() is Trigger.FILES, "what was put goes first"
    os.eventfd_read(events)
    with pytest.raises(Empty):
        queue.get(2 * pause_s)
    queue.attend(Trigger.EVENTS, None)
    os.eventfd_write(events, 1)
    with pytest.raises(Empty):
        queue.get(2 * pause_s)
    os.close(events)


def _inotify_masks() -> list[int]:
    """What this process asks the kernel to be told, by watch."""
    found: list[int] = []
    for descriptor in sorted(map(int, os.listdir("/proc/self/fdinfo"))):
        with suppress(OSError):  # that of the folder itself
            text = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
            found += [int(mask, 16) for mask in re.findall(r"^inotify .* mask:(\w+)", text, re.M)]
    return found


def test_readers_wake_nobody_and_writers_do(queue: TriggerQueue, tmp_path: Path) -> None:
    """Every program that starts reads something in /etc, where the accounts are."""
    file = tmp_path / "a.yaml"
    file.write_text("")
    before = len(_inotify_masks())
    watcher = Watcher(queue)
    try:
        watcher.watch(Followed(frozenset({tmp_path}), frozenset()))
        masks = _inotify_masks()
        assert len(masks) == before + 1
        assert not masks[-1] & (IN_ACCESS | IN_CLOSE_NOWRITE | IN_OPEN)
        file.read_text()
        with pytest.raises(Empty):
            queue.get(0.8)
        for change in (
            lambda: file.write_text("x"),
            lambda: file.chmod(0o600),
            lambda: file.rename(tmp_path / "b.yaml"),
            lambda: (tmp_path / "b.yaml").unlink(),
            lambda: (tmp_path / "c.yaml.d").mkdir(),
        ):
            change()
            assert queue.get(5) is Trigger.FILES
            while not queue.empty():
                queue.get()
            time.sleep(0.7)
            while not queue.empty():
                queue.get()
    finally:
        watcher.stop()


def test_watches_are_renewed_after_so_many_events(
    queue: TriggerQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or watchdog 6 keeps something for each rename that there was."""
    monkeypatch.setattr(triggers, "_MOST_EVENTS", 3)
    followed, file = Followed(frozenset({tmp_path}), frozenset()), tmp_path / "a.yaml"
    watcher = Watcher(queue)
    try:
        watcher.watch(followed)
        (first,) = watcher._observer.emitters
        watcher.watch(followed)
        assert watcher._observer.emitters == {first}
        for text in "xyz":
            (tmp_path / "new").write_text(text)
            (tmp_path / "new").rename(file)
            assert queue.get(5) is Trigger.FILES
        time.sleep(0.7)
        watcher.watch(followed)
        assert first not in watcher._observer.emitters
        while not queue.empty():
            queue.get()
        file.write_text("edited")
        assert queue.get(5) is Trigger.FILES
    finally:
        watcher.stop()
