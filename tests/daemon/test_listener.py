# SPDX-License-Identifier: GPL-2.0-only
"""Events and timer slack on the fake kernel: what is said, what is written, what survives a loss."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from systemd import journal

from schedctl import paths
from schedctl.daemon.entries import WINDOW_S
from schedctl.daemon.listener import RETRY_S, Listener
from schedctl.image.abi import encode
from schedctl.image.model import ImageClass, PolicyImage
from schedctl.image.stats import SchedStats
from schedctl.image.task import Event, EventKind
from schedctl.lock import locked
from schedctl.log import MAX_PER_KIND, begin
from schedctl.profile.model import Order, Tier
from tests.kernel.fake import FakeKernel, context

CLASSES = (
    ImageClass("default", Tier.FAIR, 0, 0, 0, 100),
    ImageClass("game", Tier.REALTIME, 6, 0, 1_000_000, 100, timer_slack_ns=1),
    ImageClass("audio", Tier.REALTIME, 7, 0, 1_000_000, 100),
)
POLICY = PolicyImage("listened", Order.EDF, Fraction(1, 10), CLASSES, ())
OLD_NS = 50_000


def event(kind: EventKind, class_id: int = 1, value: int = 1000, comm: bytes = b"x", tid: int = 7) -> Event:
    return Event(1, value, 1, kind, class_id, tid, tid, comm)


class World:
    """An attached fake kernel, a listener to it, a clock, a journal."""

    def __init__(self) -> None:
        self.kernel = FakeKernel()
        self.kernel.attach(encode(POLICY, 0, 1))
        self.now = 100.0
        self.attended: int | None = None
        self.entries: list[dict[str, str]] = []
        self.journal = begin(lambda: self.now)
        self.listener = Listener(self.kernel, self._attend, lambda: self.now)
        self.listener.follow()

    def _attend(self, descriptor: int | None) -> None:
        self.attended = descriptor

    def send(self, message: str, **fields: str) -> None:
        self.entries.append({"MESSAGE": message, **fields})

    def happen(self, *happened: Event) -> None:
        assert self.kernel.events is not None
        self.kernel.events.pending.extend(happened)
        self.listener.read()

    def thread(self, tid: int, now_ns: int, class_index: int = 1, **values: int) -> None:
        self.kernel.threads[tid] = context(class_index, **values)
        self.kernel.slack_ns[tid] = now_ns

    def attends(self, descriptor: int | None) -> bool:
        return self.attended == descriptor

    def wait(self, seconds: float) -> None:
        self.now += seconds
        due = self.listener.due_at()
        if due is not None and due <= self.now:
            self.listener.due()
        self.journal.flush()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    found = World()
    monkeypatch.setattr(journal, "send", found.send)
    return found


def test_the_first_at_once_then_sums(world: World) -> None:
    world.happen(event(EventKind.MISS, value=5000, comm=b"a\x1b[2Jb"))
    (entry,) = world.entries
    assert entry["MESSAGE"] == "class game: thread 7 (a\ufffd[2Jb) missed its deadline by 5us"
    assert entry["SCHEDCTL_COMM"] == "a\ufffd[2Jb"
    for key, value in {"EVENT": "miss", "CLASS": "game", "TID": "7", "TARDINESS_NS": "5000"}.items():
        assert entry[f"SCHEDCTL_{key}"] == value
    for late_ns in (1000, 9123, 2000):
        world.happen(event(EventKind.MISS, value=late_ns))
    world.wait(WINDOW_S / 2)
    assert len(world.entries) == 1
    world.wait(WINDOW_S / 2)
    assert len(world.entries) == 2
    assert "3 more deadlines missed, by up to 9.12us: that by" in world.entries[1]["MESSAGE"]
    assert world.entries[1]["SCHEDCTL_COUNT"] == "3"
    world.wait(WINDOW_S)
    assert (len(world.entries), world.listener.due_at()) == (2, None), "nothing more is due"
    world.happen(event(EventKind.MISS))
    assert len(world.entries) == 3, "after a quiet time the first is said at once again"


def test_classes_and_kinds_are_apart(world: World) -> None:
    kinds = (EventKind.MISS, EventKind.OVERRUN, EventKind.SURPLUS)
    for _ in range(1000):
        world.happen(*(event(kind, number) for kind in kinds for number in (1, 2)))
    assert len(world.entries) == 6
    for _ in range(10):
        world.wait(1)
    assert len(world.entries) == 12
    world.happen(event(EventKind.MISS, class_id=99), event(EventKind.QUOTA))
    assert "class number 99" in world.entries[-1]["MESSAGE"]


def test_many_classes_are_few_entries(world: World) -> None:
    kinds = (EventKind.MISS, EventKind.OVERRUN, EventKind.SURPLUS)
    for _ in range(60):
        world.happen(*(event(kind, number) for kind in kinds for number in range(250)))
        world.wait(1)
    sums = [entry for entry in world.entries if entry["SCHEDCTL_EVENT"] == "suppressed"]
    assert len(world.entries) <= 7 * len(kinds) * (MAX_PER_KIND + 1)
    assert {entry["SCHEDCTL_KIND"] for entry in sums} == {"miss", "overrun", "surplus"}


def test_slack_is_read_anew_not_believed(world: World) -> None:
    world.thread(7, OLD_NS, slack_ns=OLD_NS, slack_asked_ns=1)
    world.thread(8, 1, 0, slack_ns=OLD_NS, slack_asked_ns=1)
    world.thread(9, 70_000, 0, slack_ns=OLD_NS, slack_asked_ns=1)
    world.thread(10, OLD_NS, slack_ns=OLD_NS, slack_asked_ns=1, generation=3)
    world.thread(11, OLD_NS)
    world.happen(*(event(EventKind.SLACK, value=12345, tid=tid) for tid in (*range(7, 13),)))
    assert world.kernel.slack_ns == {
        7: 1,
        8: OLD_NS,
        9: 70_000,  # has set its own since
        10: OLD_NS,  # of another policy: asks when it next runs
        11: OLD_NS,  # nobody asked
    }
    assert world.entries == []


def test_a_start_and_a_loss_are_one_walk_each(world: World) -> None:
    world.thread(7, OLD_NS, slack_ns=OLD_NS, slack_asked_ns=1)
    world.wait(3600)
    assert world.kernel.slack_ns[7] == OLD_NS, "no walk without a reason"
    world.kernel.totals = SchedStats(nr_events_dropped=5)
    world.happen()
    world.wait(0)
    assert world.kernel.slack_ns[7] == 1
    assert (world.entries[0]["SCHEDCTL_EVENT"], world.entries[0]["SCHEDCTL_COUNT"]) == ("lost", "5")
    world.kernel.slack_ns[7] = OLD_NS
    world.kernel.totals = SchedStats(nr_events_dropped=9)
    world.happen()
    world.wait(1)
    assert world.kernel.slack_ns[7] == OLD_NS, "not again at once"
    world.wait(WINDOW_S)
    assert world.kernel.slack_ns[7] == 1
    world.kernel.slack_ns[7] = OLD_NS
    other = Listener(world.kernel, lambda _: None, lambda: world.now)
    other.follow()
    assert world.kernel.slack_ns[7] == 1


def test_slack_waits_for_who_holds_the_lock(world: World) -> None:
    world.thread(7, OLD_NS, slack_ns=OLD_NS, slack_asked_ns=1)
    with locked(paths.lock_file()):
        world.happen(event(EventKind.SLACK))
        world.wait(RETRY_S)
        assert world.kernel.slack_ns[7] == OLD_NS
    world.wait(RETRY_S)
    assert world.kernel.slack_ns[7] == 1


def test_a_detach_ends_it_and_an_attach_begins_anew(world: World) -> None:
    first = world.kernel.events
    assert first is not None
    assert world.attends(first.fileno())
    world.thread(7, 1, slack_ns=OLD_NS, slack_asked_ns=1)
    world.kernel.detach()
    assert world.kernel.slack_ns[7] == OLD_NS
    world.happen(event(EventKind.SLACK))
    world.listener.follow()
    assert world.attends(None)
    assert not first.listening
    world.kernel.attach(encode(POLICY, 0, 1))
    world.listener.follow()
    assert world.kernel.events is not first
    assert not world.attends(None)
    world.listener.close()
    assert world.kernel.events is not None
    assert not world.kernel.events.listening


def test_what_was_ejected_gives_slack_back(world: World) -> None:
    world.thread(7, 1, slack_ns=OLD_NS, slack_asked_ns=1)
    world.kernel.eject(replace(world.kernel.exit, kind=1026))
    world.listener.follow()
    assert world.kernel.slack_ns[7] == OLD_NS


def test_a_quota_is_noticed_by_its_counter(world: World) -> None:
    world.happen(event(EventKind.QUOTA))
    assert not world.listener.quotas_changed
    world.kernel.totals = SchedStats(nr_quota_changes=1)
    world.listener.look()
    assert world.listener.quotas_changed
