# SPDX-License-Identifier: GPL-2.0-only
"""The daemon's clock for what waits: a new daemon goes on counting, one that ends hands over."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from schedctl import clock, history, paths, trying
from schedctl.daemon import confirmation, loop
from schedctl.daemon.triggers import Trigger
from schedctl.ejections import Next, read_ejections
from schedctl.history import Result
from schedctl.image.stats import ExitRecord
from schedctl.last_good import last_good
from schedctl.pending import read_pending
from schedctl.quantity import NS_PER_S
from schedctl.request import Request, Verb, Who, carry_out
from schedctl.selected import Selected, read_selected
from tests import process
from tests.daemon.world import EDITED, Step, World, edit, world

__all__ = ["world"]
WHO = Who(0, 1000, "schedctl apply")
SYSRQ = ExitRecord(67, 0, 1, "disabled by sysrq-S")
STALL = ExitRecord(1026, 0, 1, "runnable task stall", "cc1[7] did not run for 30s")


@pytest.fixture
def times(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world's clock is also the one that counts since the boot; a daemon counts, and no timer."""
    monkeypatch.setattr(clock, "boot_ns", lambda: int(world.now * NS_PER_S))
    file = paths.under_root("/etc/schedctl/profiles/other.yaml")
    file.write_text(EDITED.replace("edited", "other") % 3)
    return world


def apply(world: World, name: str, within_s: int | None = None) -> Trigger:
    within_ns = None if within_s is None else within_s * NS_PER_S
    request = Request(Verb.APPLY, Selected.profile(name), confirm_within_ns=within_ns)
    carry_out(world.kernel, request, WHO, timer=world.timers)
    return Trigger.FILES


def wait(world: World, seconds: float) -> Step:
    def step() -> Trigger | None:
        world.now += seconds
        return None

    return step


def test_nobody_confirms(times: World) -> None:
    levels = []

    def look() -> None:
        levels.append(times.level())

    events = times.run(lambda: apply(times, "other", 30), look, wait(times, 29), look, wait(times, 1), look)
    assert levels == [3, 3, 6]
    assert "unconfirmed" in events
    assert read_pending() is None
    assert read_selected(paths.selected_file()) == Selected()


def test_it_is_confirmed_in_time(times: World) -> None:
    def confirm() -> Trigger:
        carry_out(times.kernel, Request(Verb.CONFIRM), WHO, timer=times.timers)
        return Trigger.FILES

    events = times.run(lambda: apply(times, "other", 30), confirm, wait(times, 100))
    assert times.level() == 3
    assert "unconfirmed" not in events


def test_a_daemon_that_is_started_anew_goes_on_counting(times: World) -> None:
    times.run(lambda: apply(times, "other", 30))
    pending = read_pending()
    assert pending is not None
    assert pending.timer in times.timers.armed, "between two daemons systemd counts"
    times.now += 29
    times.run(wait(times, 0.5))
    assert times.level() == 3
    times.run(wait(times, 1))
    assert times.level() == 6
    times.run(lambda: apply(times, "other", 30))
    times.now += 1000
    times.run(lambda: None)
    assert times.level() == 6, "the time was over before it was started"


def test_a_kernel_that_refuses_is_asked_again_later(times: World) -> None:
    def refuse() -> None:
        times.now += 30
        times.kernel.fail = "flip"

    assert "rejected" in times.run(lambda: apply(times, "other", 30), refuse, wait(times, 5))
    assert times.level() == 3
    times.run(wait(times, confirmation.RETRY_S))
    assert times.level() == 6


@pytest.mark.parametrize("traces", [True, False])
def test_what_a_person_has_ended_does_not_come_back(times: World, traces: bool) -> None:
    def end() -> None:
        if traces:
            times.kernel.eject(SYSRQ)
        else:
            times.kernel.detach()

    events = times.run(lambda: apply(times, "other", 30), end, wait(times, 30), lambda: edit(2))
    assert "unconfirmed" in events
    assert not times.kernel.running
    assert read_pending() is None
    assert read_selected(paths.selected_file()) == Selected(), "as before"
    entry = history.read_history().entries[-1]
    assert (entry.result, entry.reason) == (Result.UNCONFIRMED, history.ENDED)
    decision = read_ejections().decision
    assert decision is not None
    assert decision.next is Next.HOLD
    carry_out(times.kernel, Request(Verb.ROLLBACK), WHO, timer=times.timers)
    assert times.level() == 6, "by hand"


def test_a_killed_swap_is_no_person(times: World) -> None:
    def kill() -> None:
        times.kernel.eject(SYSRQ)
        times.kernel.interrupted = True
        times.now += 30

    times.run(lambda: apply(times, "other", 30), kill)
    assert times.level() == 6


def edit_other(level: int) -> Trigger:
    paths.under_root("/etc/schedctl/profiles/other.yaml").write_text(
        EDITED.replace("edited", "other") % level
    )
    return Trigger.FILES


def test_an_edit_of_what_waits_goes_on_waiting(times: World) -> None:
    levels = []

    def look() -> None:
        levels.append(times.level())

    def refused() -> Trigger:
        times.kernel.fail = "flip"
        return edit_other(1)

    steps = (lambda: apply(times, "other", 30), lambda: edit_other(2), look, refused, wait(times, 29), look)
    assert "rejected" in times.run(*steps, wait(times, 1), look)
    assert levels == [2, 1, 6]
    assert read_pending() is None


def test_an_apply_that_was_killed_is_forgotten_though_another_policy_has_its_name(times: World) -> None:
    def killed() -> None:
        edit(1)
        times.kernel.write_policy = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
        apply(times, "edited", 30)

    times.run()
    assert process.run(killed) == -signal.SIGKILL
    edit(6)
    assert read_pending() is not None
    times.run()
    assert (read_pending(), times.level()) == (None, 6)


def test_damage_is_not_a_confirmation(times: World) -> None:
    def damage() -> Trigger:
        paths.pending_file().write_text("{")
        return Trigger.FILES

    times.run(lambda: apply(times, "other", 30), damage)
    assert times.level() == 6
    assert not paths.pending_file().exists()


def test_an_attach_proves_itself_in_time(times: World) -> None:
    assert last_good() is None

    def young() -> None:
        assert trying.mark() is not None
        times.now += trying.SETTLE_S - 1

    times.run(young, lambda: None, wait(times, 1), lambda: None)
    assert trying.mark() is None
    good = last_good()
    assert good is not None
    assert good.profile == "edited"


def test_a_change_is_good_only_after_its_own_time(times: World) -> None:
    def change() -> Trigger:
        times.now += trying.SETTLE_S - 1
        return edit(2)

    def look() -> None:
        assert last_good() is None
        times.now += trying.SETTLE_S

    times.run(change, wait(times, 10), look, lambda: None)
    good = last_good()
    assert good is not None
    assert good.image is not None
    assert good.image.classes[1].level == 2


def test_what_was_ejected_is_not_good(times: World) -> None:
    def eject() -> None:
        times.kernel.eject(STALL)
        times.now += trying.SETTLE_S

    times.run(eject, lambda: None)
    assert last_good() is None
    assert trying.mark() is not None


def foreign_mark(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(clock, "boot_id", lambda: "another boot")
        trying.set_mark("a hash", "edited")


def test_the_mark_of_another_boot_keeps_it_from_attaching(
    times: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign_mark(times, monkeypatch)
    assert times.run(lambda: edit(3)) == ["held"]
    assert not times.kernel.running
    assert "before `schedctl apply`" in times.entries[0]["MESSAGE"]
    assert times.run(lambda: apply(times, "other"), lambda: edit(2)) == ["held", "unchanged"]
    assert times.level() == 3
    mark = trying.mark()
    assert mark is not None
    assert mark.boot_id == clock.boot_id()


def test_a_mark_that_cannot_be_read_holds_too(times: World) -> None:
    paths.state_dir().mkdir(parents=True)
    paths.trying_file().write_bytes(b"\0\0\0")
    assert times.run() == ["held"]
    assert not times.kernel.running


def test_a_scheduler_that_runs_is_adopted_whatever_the_mark(
    times: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    times.run()
    foreign_mark(times, monkeypatch)
    assert times.run() == ["unchanged"]


@pytest.mark.parametrize("shutdown", [False, True])
def test_the_end_of_the_daemon(times: World, monkeypatch: pytest.MonkeyPatch, shutdown: bool) -> None:
    """Of the machine too: then it has survived. Otherwise systemd counts the rest."""
    monkeypatch.setattr(confirmation, "_shuts_down", lambda: shutdown)
    times.run(wait(times, 20))
    assert (trying.mark() is None) == shutdown
    assert list(times.timers.armed.values()) == (
        [] if shutdown else [(trying.SETTLE_S - 20, ["confirm", "--settled"])]
    )


def test_a_machine_that_is_shut_down_while_a_confirmation_waits(
    times: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def shuts_down() -> bool:
        asked.append(True)
        return True

    monkeypatch.setattr(confirmation, "_shuts_down", shuts_down)
    times.run(lambda: apply(times, "other", 30))
    assert (trying.mark(), len(asked)) == (None, 1)
    assert len(times.timers.armed) == 1, "the command's own"
    assert said_of(2) == (Result.UNCONFIRMED, history.BOOT_ENDED)
    next_boot(times, monkeypatch)
    assert times.run() == ["applied"], "and not held"
    assert times.level() == 6


def test_a_power_cut_while_a_confirmation_waits(times: World, monkeypatch: pytest.MonkeyPatch) -> None:
    times.run(lambda: apply(times, "other", 30))
    times.run()
    assert said_of(2)[0] is Result.PENDING, "another daemon only"
    next_boot(times, monkeypatch)
    assert times.run() == ["held"]
    assert said_of(2) == (Result.UNCONFIRMED, history.BOOT_ENDED)


def said_of(number: int) -> tuple[Result, str]:
    entry = history.read_history().entry(number)
    assert entry is not None
    return entry.result, entry.reason


def next_boot(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(paths.run_dir())
    world.kernel.running = world.kernel.link = False
    for where in (clock, loop):
        monkeypatch.setattr(where, "boot_id", lambda: "the next boot")


def test_state_that_cannot_be_written_attaches_nothing(times: World) -> None:
    paths.state_dir().parent.mkdir(parents=True, exist_ok=True)
    Path(paths.state_dir()).write_text("")
    assert times.run() == ["rejected"]
    assert not times.kernel.running
    assert times.entries[0]["SCHEDCTL_EXIT_CODE"] == "73"
