# SPDX-License-Identifier: GPL-2.0-only
"""The queue that the loop waits at: triggers from anywhere, and one descriptor."""

from __future__ import annotations

import os
import signal
import threading
import time
from queue import Empty

import pytest

from schedctl.daemon.triggers import PAUSES_S, Trigger, TriggerQueue


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
