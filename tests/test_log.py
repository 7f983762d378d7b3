# SPDX-License-Identifier: GPL-2.0-only
"""What reaches the journal: fields and IDs, few entries whatever happens, nothing that a name can forge."""

from __future__ import annotations

import os

import pytest
from systemd import journal

from schedctl.log import MAX_LINE, MAX_LINES, MAX_PER_KIND, NR_RECENT, WINDOW_S, Journal, Priority, begin, log
from schedctl.messages import MESSAGES

HOSTILE = "a\x1b[2J\x9b1mb\nMESSAGE=forged\u202e\u2028\udc80\ud800"


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.entries: list[dict[str, str]] = []
        self.journal: Journal = begin(lambda: self.now)

    def send(self, message: str, **fields: str) -> None:
        self.entries.append({"MESSAGE": message, **fields})
        for text in (message, *fields.values()):
            text.encode()

    def kinds(self) -> list[str]:
        return [entry["SCHEDCTL_EVENT"] for entry in self.entries]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    found = World()
    monkeypatch.setattr(journal, "send", found.send)
    return found


def test_an_entry_has_its_id_and_its_fields(world: World) -> None:
    log("late", "miss", Priority.WARNING, tid=7, generation=None, **{"class": "game"})
    assert world.entries == [
        {
            "MESSAGE": "late",
            "MESSAGE_ID": MESSAGES["miss"].id,
            "PRIORITY": "4",
            "SYSLOG_IDENTIFIER": "schedctld",
            "SCHEDCTL_EVENT": "miss",
            "SCHEDCTL_TID": "7",
            "SCHEDCTL_CLASS": "game",
        }
    ]


def test_a_kind_is_said_some_times_and_then_summed_up(world: World) -> None:
    for _ in range(1000):
        log("late", "miss")
    log("gone", "ejected", Priority.ERROR)
    assert world.kinds() == ["miss"] * MAX_PER_KIND + ["ejected"], "one kind silences no other"
    assert world.journal.due_at() == WINDOW_S
    world.now = WINDOW_S - 1
    world.journal.flush()
    assert len(world.entries) == MAX_PER_KIND + 1
    world.now = WINDOW_S
    world.journal.flush()
    last = world.entries[-1]
    assert (last["SCHEDCTL_EVENT"], last["SCHEDCTL_KIND"]) == ("suppressed", "miss")
    assert last["SCHEDCTL_COUNT"] == str(1000 - MAX_PER_KIND)
    assert f"{1000 - MAX_PER_KIND} entries suppressed (miss)" in last["MESSAGE"]
    assert world.journal.due_at() is None, "nothing wakes the daemon for it any more"
    log("late", "miss")
    assert world.kinds()[-1] == "miss"


@pytest.mark.long
@pytest.mark.parametrize("per_second", [10, 1000, 10_000])
def test_the_rate_is_bounded_whatever_comes(world: World, per_second: int) -> None:
    seconds = 5 * int(WINDOW_S)
    for number in range(seconds * per_second):
        world.now = number / per_second
        for kind in ("miss", "overrun", "quota"):
            log("x", kind)
    assert len(world.entries) <= 3 * 5 * (MAX_PER_KIND + 1)


def test_names_do_no_harm(world: World) -> None:
    log(f"thread {HOSTILE}\nsecond line", "miss", comm=HOSTILE, unit=HOSTILE)
    (entry,) = world.entries
    assert entry["MESSAGE"].split("\n") == [
        "thread a\ufffd[2J\ufffd1mb",
        "MESSAGE=forged" + "\ufffd" * 4,
        "second line",
    ], "what a message is made of has no line ends: see schedctl.printable"
    for name in ("SCHEDCTL_COMM", "SCHEDCTL_UNIT"):
        assert entry[name] == "a\ufffd[2J\ufffd1mb\ufffdMESSAGE=forged" + "\ufffd" * 4


def test_long_entries_are_cut(world: World) -> None:
    log("\n".join(["x" * 2 * MAX_LINE] * (MAX_LINES + 5)), "applied", command="y" * 2 * MAX_LINE)
    (entry,) = world.entries
    lines = entry["MESSAGE"].split("\n")
    assert (len(lines), len(lines[0]), lines[-1]) == (MAX_LINES + 1, MAX_LINE, "… and 5 more lines")
    assert len(entry["SCHEDCTL_COMMAND"]) == MAX_LINE


def test_the_kernel_s_dump_keeps_its_lines(world: World) -> None:
    dump = "\n".join(f"R cc1[{number}]\x1b" for number in range(1000))
    log("gone", "ejected", dump=dump)
    (entry,) = world.entries
    assert entry["SCHEDCTL_DUMP"].split("\n") == [f"R cc1[{number}]\ufffd" for number in range(1000)]


def test_the_last_ones_are_kept(world: World) -> None:
    for number in range(NR_RECENT):
        world.now += WINDOW_S
        log(str(number), "applied")
    assert [entry.message for entry in world.journal.recent] == list(map(str, range(NR_RECENT)))
    log("one more", "rejected", profile="a")
    assert len(world.journal.recent) == NR_RECENT
    assert world.journal.recent[-1].kind == "rejected"
    assert world.journal.recent[-1].fields == {"profile": "a"}


def test_a_journal_that_is_gone_ends_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(os.strerror(105))

    monkeypatch.setattr(journal, "send", refuse)
    log("x", "applied")
    assert len(world.journal.recent) == 1


def test_without_a_journal_it_goes_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    begin(lambda: 0.0)
    log("thread \x1b[2J", "miss")
    assert capsys.readouterr().err == "thread \ufffd[2J\n"
