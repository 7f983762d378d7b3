# SPDX-License-Identifier: GPL-2.0-only
"""confirm, rollback and history on the fake kernel, as a person types them."""

from __future__ import annotations

import json
import os
import pty
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedctl import clock, history, paths, restore, session, trying
from schedctl.cli import within
from schedctl.cli.main import main
from schedctl.errors import UsageError
from schedctl.history import Result
from schedctl.image.stats import ExitRecord
from schedctl.last_good import last_good
from schedctl.observe import observe
from schedctl.pending import read_pending
from schedctl.quantity import NS_PER_S
from schedctl.selected import Selected
from tests import process
from tests.cli.machine import Machine

SYSRQ = ExitRecord(67, 0, 1, "disabled by sysrq-S")

# --- confirm and rollback -------------------------------------------------------------------------


def test_without_a_confirmation_what_ran_before_comes_back(machine: Machine) -> None:
    machine("apply", "one")
    found = machine("apply", "two", "--confirm-within", "30s")
    assert found["pending"]["number"] == found["number"] == 2
    ((after_s, words),) = [armed for unit, armed in machine.timers.armed.items() if "unconfirmed" in unit]
    assert (after_s, words) == (30, ["rollback", "--unconfirmed", "2"])
    assert (machine.profile(), machine.noted()) == ("two", Selected.profile("two"))
    machine.expire()
    assert (machine.profile(), machine.noted()) == ("one", Selected.profile("one"))
    assert read_pending() is None
    entries = machine("history")["entries"]
    assert [(e["verb"], e["profile"], e["result"]) for e in entries] == [
        ("apply", "one", "applied"),
        ("apply", "two", "rejected"),
        ("unconfirmed", "one", "applied"),
    ]
    assert machine("confirm")["exit"] == 0, "the first attach can still be confirmed"
    assert machine("confirm")["exit"] == 75
    machine.expire()
    assert machine.profile() == "one", "a timer that is late finds nothing to do"


def test_a_confirmation_keeps_it(machine: Machine) -> None:
    machine("apply", "one")
    machine("apply", "two", "--confirm-within", "30s")
    assert trying.mark() is not None
    assert machine("confirm")["number"] == 2
    assert not [unit for unit in machine.timers.armed if "unconfirmed" in unit]
    assert machine("history")["entries"][-1]["result"] == "confirmed"
    assert trying.mark() is None
    good = last_good()
    assert good is not None
    assert good.profile == "two"
    machine.expire()
    assert machine.profile() == "two"


def test_what_comes_back_is_what_ran_not_what_a_file_says_now(machine: Machine, tmp_path: Path) -> None:
    machine("apply", "one")
    image = machine("show", "--live")["image"]
    machine("apply", "two", "--confirm-within", "30s")
    (tmp_path / "etc/schedctl/profiles/one.yaml").unlink()
    machine.expire()
    assert machine("show", "--live")["image"] == image
    assert machine.noted() == Selected.copy(paths.copies_dir() / "one.image.json")
    assert machine("status")["drift"] is False


def test_the_first_attach_comes_back_to_nothing(machine: Machine) -> None:
    machine("apply", "two", "--confirm-within", "30s")
    assert machine.profile() == "two"
    machine.expire()
    assert not machine.kernel.running
    assert machine.noted() == Selected.none()
    assert trying.mark() is None


def test_a_standing_choice_outlives_a_reboot_only_when_confirmed(machine: Machine) -> None:
    machine("apply", "one")
    machine("apply", "two", "--persist", "--confirm-within", "30s")
    assert paths.standing_file().read_text() == "# mine\nprofile: one\n"
    assert machine("confirm")["exit"] == 0
    assert paths.standing_file().read_text() == "# mine\nprofile: two\n"
    assert machine.noted() == Selected()


def test_after_sysrq_s_the_timer_attaches_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine("apply", "one")
    machine("apply", "two", "--confirm-within", "30s")
    machine.kernel.eject(SYSRQ)
    monkeypatch.setattr(restore, "EARLY_S", 30.0)  # the time is over
    machine.expire()
    assert observe(machine.kernel).ejected, "the next daemon is to see it"
    assert (machine.noted(), read_pending()) == (Selected.profile("one"), None)
    entry = machine("history")["entries"][-1]
    assert (entry["result"], entry["reason"]) == ("unconfirmed", history.ENDED)
    assert not [unit for unit in machine.timers.armed if "unconfirmed" in unit]
    machine("rollback")
    assert machine.profile() == "one", "a person attaches"


def test_after_sysrq_s_a_person_who_answers_no_attaches(machine: Machine) -> None:
    machine("apply", "one")
    machine("apply", "two", "--confirm-within", "30s")
    machine.kernel.eject(SYSRQ)
    machine.expire()
    assert machine.profile() == "one"


def test_a_second_apply_decides_or_goes_on_counting(machine: Machine) -> None:
    machine("apply", "one")
    machine("apply", "two", "--confirm-within", "30s")
    machine("apply", "three", "--confirm-within", "30s")
    pending = read_pending()
    assert pending is not None
    assert (pending.number, pending.before.profile) == (3, "one"), "what somebody last stood by"
    main(["rollback", "--unconfirmed", "2"])
    assert machine.profile() == "three", "of an earlier one"
    machine("apply", "two")
    assert read_pending() is None
    machine.expire()
    assert machine.profile() == "two"


@pytest.mark.parametrize("words", [["apply", "two"], ["rollback", "2"]])
def test_what_runs_already_is_decided_too(machine: Machine, words: list[str]) -> None:
    machine("apply", "one")
    machine("apply", "two", "--persist", "--confirm-within", "30s")
    assert machine("apply", "two", "--confirm-within", "20s")["changed"] is False
    pending = read_pending()
    assert pending is not None
    assert pending.number == 2, "it goes on counting"
    assert machine(*words)["changed"] is False
    assert read_pending() is None
    assert not [unit for unit in machine.timers.armed if "unconfirmed" in unit]
    assert machine("history")["entries"][-1]["result"] == "applied"
    machine.expire()
    assert machine.profile() == "two"
    assert paths.standing_file().read_text() == "# mine\nprofile: one\n"


def test_persist_of_what_waits_waits_too(machine: Machine) -> None:
    machine("apply", "one")
    machine("apply", "two", "--confirm-within", "30s")
    found = machine("apply", "two", "--persist", "--confirm-within", "20s")
    assert (found["changed"], found["pending"]["number"]) == (False, 2)
    assert paths.standing_file().read_text() == "# mine\nprofile: one\n"
    assert machine.noted() == Selected.profile("two")
    assert machine("confirm")["exit"] == 0
    assert paths.standing_file().read_text() == "# mine\nprofile: two\n"


def test_persist_of_what_runs_for_good_waits_for_nobody(machine: Machine) -> None:
    machine("apply", "two")
    assert machine("apply", "two", "--persist", "--confirm-within", "20s")["pending"] is None
    assert paths.standing_file().read_text() == "# mine\nprofile: two\n"


def test_an_edit_whose_apply_was_killed_is_not_confirmed(machine: Machine, tmp_path: Path) -> None:
    machine("apply", "two")
    profile = tmp_path / "etc/schedctl/profiles/two.yaml"
    profile.write_text(profile.read_text().replace("level: 5", "level: 3"))

    def killed() -> None:
        machine.kernel.write_policy = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
        main(["apply", "two", "--confirm-within", "30s"])

    assert process.run(killed) == -signal.SIGKILL
    found = machine("confirm")
    assert found["exit"] == 75
    assert "profile two, and another policy of that name runs" in found["problems"][0]["message"]
    document = json.loads(paths.pending_file().read_text())
    del document["policy"]
    paths.pending_file().write_text(json.dumps(document))
    assert machine("confirm")["exit"] == 0, "an older schedctl wrote the name only"


def test_without_a_timer_nothing_is_applied_that_should_come_back(machine: Machine) -> None:
    machine("apply", "one")
    machine.timers.missing = True
    found = machine("apply", "two", "--confirm-within", "30s")
    assert found["exit"] == 69
    assert machine.profile() == "one"
    assert read_pending() is None
    machine("detach")
    found = machine("apply", "two")
    assert found["exit"] == 0
    assert any("is not noted" in problem["message"] for problem in found["problems"])


def test_rollback_goes_to_what_ran_before_or_to_a_number(machine: Machine) -> None:
    assert machine("rollback")["exit"] == 66
    machine("apply", "one")
    assert machine("rollback")["exit"] == 66
    for name in ("two", "three"):
        machine("apply", name)
    assert machine("rollback")["changed"]
    assert (machine.profile(), machine.noted()) == ("two", Selected.profile("two"))
    assert machine("rollback", "1")["number"] == 5
    assert machine.profile() == "one"
    assert machine("rollback", "1")["changed"] is False
    assert machine("rollback", "9")["exit"] == 66
    machine("detach")
    machine("rollback")
    assert machine.profile() == "one"
    assert [e["verb"] for e in machine("history")["entries"]][-3:] == ["rollback", "detach", "rollback"]


def test_a_rollback_too_can_wait_for_a_confirmation(machine: Machine) -> None:
    machine("apply", "one")
    machine("apply", "two")
    assert machine("rollback", "--confirm-within", "5s")["pending"]["profile"] == "one"
    machine.expire()
    assert machine.profile() == "two"


def test_status_says_what_waits(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine("apply", "one")
    found = machine("status")
    assert (found["pending"], found["held"]) == (None, None)
    machine("apply", "two", "--confirm-within", "30s")
    pending = machine("status")["pending"]
    assert (pending["number"], pending["profile"]) == (2, "two")
    assert 0 < pending["left_ns"] <= 30 * NS_PER_S
    assert "comes back in 30 s" in machine.said("status")
    machine("detach")
    with monkeypatch.context() as patch:
        patch.setattr(clock, "boot_id", lambda: "another boot")
        trying.set_mark("a hash", "one")
    assert machine("status")["held"]["profile"] == "one"
    assert "soon after profile one was attached" in machine.said("status")
    paths.trying_file().write_bytes(b"\0")
    assert "trying is damaged" in machine.said("status")


def test_detach_forgets_what_waits(machine: Machine) -> None:
    machine("apply", "one")
    machine("apply", "two", "--confirm-within", "30s")
    machine("detach")
    assert read_pending() is None
    assert trying.mark() is None
    machine.expire()
    assert not machine.kernel.running


def test_an_attach_settles_by_itself(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine("apply", "one")
    ((after_s, words),) = machine.timers.armed.values()
    assert after_s > 60
    assert words == ["confirm", "--settled"]
    assert main(words) == 0
    assert trying.mark() is not None, "too early"
    monkeypatch.setattr(trying, "SETTLE_S", 0.0)
    assert main(words) == 0
    assert trying.mark() is None
    good = last_good()
    assert good is not None
    assert good.image == observe(machine.kernel).image


def test_the_history_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nothing was applied yet" in machine.said("history")
    machine("apply", "one")
    (entry,) = machine("history")["entries"]
    assert (entry["uid"], entry["profile"], entry["result"]) == (os.getuid(), "one", "applied")
    assert entry["hash"][:12] in machine.said("history")
    (file,) = paths.history_dir().iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    document = json.loads(file.read_text())
    document["who"]["command"] = "\x1b[2Jevil"
    file.write_text(json.dumps(document))
    assert "\x1b" not in machine.said("history")
    file.with_name("000009.json").write_text("{")
    found = machine("history")
    assert [problem["severity"] for problem in found["problems"]] == ["warning"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert machine("history")["exit"] == 77


def test_a_history_that_cannot_be_read_is_said(machine: Machine) -> None:
    machine("apply", "one")
    for file in paths.history_dir().iterdir():
        file.unlink()
    paths.history_dir().rmdir()
    paths.history_dir().write_text("")
    assert machine("history")["exit"] == 73
    found = machine("apply", "two")
    assert found["exit"] == 0
    assert any(problem["severity"] == "warning" for problem in found["problems"])


# --- the terminal ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "ns"),
    [("60s", 60 * NS_PER_S), ("1500ms", 1_500_000_000), ("0", None), ("no", None), (None, None)],
)
def test_times(word: str | None, ns: int | None) -> None:
    assert within.within_ns(word) == ns


@pytest.mark.parametrize("word", ["60", "-1s", "0.5s", "2h", "3601s", ""])
def test_times_that_are_none(word: str) -> None:
    with pytest.raises(UsageError):
        within.within_ns(word)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input is a terminal; what is written to it is typed."""
    master, slave = pty.openpty()
    with os.fdopen(slave) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield master
    os.close(master)


def test_a_remote_terminal_gets_the_question(terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    for remote, ns in ((False, None), (True, 60 * NS_PER_S)):
        monkeypatch.setattr(within, "is_remote", lambda remote=remote: remote)
        assert within.within_ns(None) == ns


def test_ssh_is_remote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "::1 1 ::1 22")
    assert session.is_remote()
    monkeypatch.delenv("SSH_CONNECTION")
    monkeypatch.setattr(session, "_LIBRARY", "no-such-library.so")
    assert not session.is_remote()


@pytest.mark.parametrize(
    ("typed", "runs", "result"), [(b"y\n", "two", Result.CONFIRMED), (b"\n", "one", Result.REJECTED)]
)
def test_the_question_on_the_terminal(
    machine: Machine, terminal: int, typed: bytes, runs: str, result: Result
) -> None:
    machine("apply", "one")
    os.write(terminal, typed)
    said = machine.said("apply", "two", "--confirm-within", "30s")
    assert "keep it? [y/N] (30 s)" in said
    assert machine.profile() == runs
    entry = history.read_history().entry(2)
    assert entry is not None
    assert entry.result is result


def test_a_confirmation_from_another_terminal_ends_the_question(machine: Machine, terminal: int) -> None:
    machine("apply", "one")

    def confirm() -> None:
        while read_pending() is None:
            pass
        main(["confirm"])

    other = threading.Thread(target=confirm)
    other.start()
    said = machine.said("apply", "two", "--confirm-within", "30s")
    other.join()
    assert "confirmed from elsewhere" in said
    assert machine.profile() == "two"


def test_nobody_answers(machine: Machine, terminal: int) -> None:
    machine("apply", "one")

    def expire() -> None:
        while (pending := read_pending()) is None or pending.left_s > 0:
            pass
        machine.expire()

    other = threading.Thread(target=expire)
    other.start()
    said = machine.said("apply", "two", "--confirm-within", "1s")
    other.join()
    assert "not confirmed: what ran before is back" in said
    assert machine.profile() == "one"
