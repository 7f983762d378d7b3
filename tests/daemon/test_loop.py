# SPDX-License-Identifier: GPL-2.0-only
"""The daemon's loop on the fake kernel, step by step: what it attaches, what it leaves, what it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from schedctl import paths
from schedctl.books import KeptBooks
from schedctl.daemon import loop
from schedctl.daemon.loop import Daemon
from schedctl.daemon.quota import GRACE_S
from schedctl.daemon.triggers import Trigger, TriggerQueue
from schedctl.ejections import Blame, Decision, Ejection, Ejections, Next, forget_ejections, write_ejections
from schedctl.errors import StateError
from schedctl.image.stats import ExitRecord, SchedStats
from schedctl.image.task import Event, EventKind
from schedctl.kernel.protocol import Quota
from schedctl.lock import locked
from schedctl.profile import load_profile
from schedctl.profile.model import CpuMax
from schedctl.ran import Ran
from schedctl.reconcile import desired_image, reconcile
from schedctl.selected import Selected
from tests import process
from tests.daemon.world import EDITED, World, edit, file, select
from tests.daemon.world import world as world

__all__ = ["world"]

SYSRQ = ExitRecord(67, 0, 1, "disabled by sysrq-S")
STALL = ExitRecord(1026, 0, 1, "runnable task stall", "cc1[7] did not run for 30s")


def test_the_standing_profile_is_attached_before_ready(world: World) -> None:
    ready: list[str] = []

    def look() -> Trigger:
        ready.extend(world.notified())
        assert world.level() == 6
        return Trigger.STOP

    assert world.run(look) == ["applied"]
    assert ready == ["READY=1"]
    assert world.notified() == ["STOPPING=1"]
    assert world.entries[0]["SCHEDCTL_PROFILE"] == "edited"
    assert world.entries[0]["SCHEDCTL_GENERATION"] == "1"
    assert world.kernel.running, "what is attached stays attached"
    assert file().parent in world.watched[0]
    assert paths.run_dir() in world.watched[0]
    assert paths.standing_file().parent in world.watched[0]


def test_a_restart_adopts_what_runs(world: World) -> None:
    world.run()
    calls = list(world.kernel.calls)
    assert world.run(lambda: Trigger.FILES) == ["unchanged"]
    assert world.kernel.calls == calls


def test_an_edit_raises_the_generation(world: World) -> None:
    assert world.run(lambda: edit(2), lambda: edit(5)) == ["applied", "applied", "applied"]
    assert (world.level(), world.generation()) == (5, 3)
    assert "~ classes.game.level: 6 -> 2" in world.entries[1]["MESSAGE"]
    assert world.entries[2]["SCHEDCTL_CHANGES"] == "2"
    assert world.kernel.enable_seq == 1


def test_a_bad_edit_is_said_once_and_changes_nothing(world: World) -> None:
    steps = [lambda: edit(60), lambda: edit(60), lambda: edit(6), lambda: edit("[")]
    assert world.run(*steps) == ["applied", "rejected", "unchanged", "rejected"]
    assert (world.level(), world.generation()) == (6, 1)
    rejected = world.entries[1]
    assert "edited.yaml:4:40: error: 60 is out of range" in rejected["MESSAGE"]
    assert rejected["MESSAGE"].startswith("not applied, what ran before still runs")
    assert (rejected["SCHEDCTL_FILE"], rejected["SCHEDCTL_LINE"]) == (str(file()), "4")
    assert (rejected["SCHEDCTL_EXIT_CODE"], rejected["PRIORITY"]) == ("65", "3")


def test_a_bad_profile_at_the_start_attaches_nothing_until_it_is_mended(world: World) -> None:
    edit(60)
    assert world.run() == ["rejected"]
    assert world.notified()[0] == "READY=1"
    assert not world.kernel.running
    assert world.run(lambda: edit(6)) == ["rejected", "applied"]
    assert world.kernel.running


@pytest.mark.parametrize("call", ["write_policy", "flip"])
def test_a_refusal_of_the_kernel_is_tried_again_at_the_next_edit(world: World, call: str) -> None:
    def refuse() -> Trigger:
        world.kernel.fail = call
        return edit(5)

    def look() -> Trigger:
        assert (world.level(), world.generation()) == (6, 1)
        return edit(4)

    assert world.run(refuse, look) == ["applied", "rejected", "applied"]
    assert world.level() == 4


def test_behind_a_swap_of_another_layout_it_does_not_say_that_the_old_policy_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: KeptBooks) -> None:
        raise StateError("the disk is full")

    def another_layout() -> Trigger:
        kernel = world.kernel
        kernel.installed = "b" * 64
        kernel.slots[kernel.active] = bytes([99, 0, 0, 0]) + kernel.slots[kernel.active][4:]
        monkeypatch.setattr(KeptBooks, "note", refuse)
        return edit(5)

    assert world.run(another_layout) == ["applied", "swapped", "rejected"]
    said = "not applied: the disk is full; the installed scheduler runs now, with the new policy"
    assert world.entries[2]["MESSAGE"] == said
    assert world.level() == 5


def test_after_sysrq_only_a_person_attaches(world: World) -> None:
    def eject() -> None:
        world.kernel.eject(SYSRQ)

    def by_itself() -> Trigger:
        assert not world.kernel.running
        world.now += 3600
        return edit(3)

    def note_alone() -> Trigger:
        assert not world.kernel.running
        return select(Selected.profile("edited"))

    def by_a_person() -> Trigger:
        assert not world.kernel.running
        by_a_person_from_file(world)
        return select(Selected.profile("edited"))

    events = world.run(eject, lambda: None, by_itself, note_alone, by_a_person, lambda: edit(2))
    assert events == ["applied", "ejected", "unchanged", "applied"]
    assert SYSRQ.text in world.entries[1]["MESSAGE"]
    assert world.entries[1]["SCHEDCTL_EXIT_KIND"] == "sysrq"
    assert (world.level(), world.generation()) == (2, 2)


def by_a_person_from_file(world: World) -> None:
    """As schedctl apply does."""
    reconcile(world.kernel, desired_image(load_profile(file())))
    forget_ejections()


def test_an_ejection_before_the_start_is_seen(world: World) -> None:
    world.run()
    world.kernel.eject(SYSRQ)
    assert world.run(lambda: edit(3)) == ["ejected"]
    assert not world.kernel.running


def test_one_that_ended_without_a_trace_is_not_attached_again(world: World) -> None:
    def vanish() -> None:
        world.kernel.detach()

    assert world.run(vanish, lambda: edit(3)) == ["applied", "ejected"]
    assert not world.kernel.running


def test_a_note_of_none_keeps_it_idle(world: World) -> None:
    def detach() -> Trigger:
        select(Selected.none())
        world.kernel.detach()
        return Trigger.FILES

    def by_a_person() -> Trigger:
        assert not world.kernel.running
        by_a_person_from_file(world)
        return select(Selected())

    assert world.run(detach, lambda: edit(2), by_a_person, lambda: edit(1)) == [
        "applied",
        "idle",
        "unchanged",
        "applied",
    ]
    assert world.level() == 1


def test_nothing_selected_and_then_something(world: World) -> None:
    paths.standing_file().unlink()

    def choose() -> Trigger:
        assert not world.kernel.running
        paths.standing_file().write_text("profile: edited\n")
        return Trigger.FILES

    assert world.run(choose) == ["idle", "applied"]


def test_a_missing_profile_is_said_and_attached_when_it_comes(world: World) -> None:
    file().unlink()
    assert world.run(lambda: edit(6)) == ["rejected", "applied"]
    assert "no profile 'edited'" in world.entries[0]["MESSAGE"]
    assert world.entries[0]["SCHEDCTL_EXIT_CODE"] == "66"


def test_a_profile_that_vanishes_leaves_the_policy(world: World) -> None:
    def remove() -> Trigger:
        file().unlink()
        return Trigger.FILES

    assert world.run(remove) == ["applied", "rejected"]
    assert world.level() == 6


def test_a_selected_profile_goes_before_the_standing_one(world: World) -> None:
    two = file().with_name("two.yaml")
    two.write_text((EDITED % 1).replace("edited", "two"))
    assert world.run(lambda: select(Selected.profile("two")), lambda: select(Selected())) == ["applied"] * 3
    assert "profile: edited -> two" in world.entries[1]["MESSAGE"]
    assert world.level() == 6


@pytest.mark.parametrize("what", ["loop", "folder", "unreadable note"])
def test_odd_files_do_not_end_it(world: World, what: str) -> None:
    def spoil() -> Trigger:
        if what == "unreadable note":
            paths.selected_file().write_bytes(b"\xff")
        else:
            file().unlink()
            file().mkdir() if what == "folder" else file().symlink_to(file())
        return Trigger.FILES

    assert world.run(spoil, lambda: Trigger.RELOAD) == ["applied", "rejected"]
    assert world.level() == 6


def test_the_target_of_a_link_is_watched_too(world: World, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = file().rename(tmp_path / "elsewhere" / "edited.yaml")
    file().symlink_to(target)
    assert world.run() == ["applied"]
    assert {file().parent, target.parent} <= world.watched[0]


def test_a_held_lock_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOCK_S", 0.05)

    def hold(begun: Callable[[], object]) -> None:
        with locked(paths.lock_file()):
            begun()
            time.sleep(0.6)

    with process.running(hold):
        assert world.run() == ["applied"]
        told = world.notified()
    assert told[0] == "READY=1"
    assert told.count("WATCHDOG=1") > 1, "it has been waiting"


def test_a_reload_is_said_to_the_service_manager(world: World) -> None:
    def reload() -> Trigger:
        world.notified()
        edit(2)
        return Trigger.RELOAD

    def look() -> Trigger:
        assert world.notified() == ["WATCHDOG=1", "RELOADING=1", "READY=1"]
        assert world.level() == 2
        return Trigger.STOP

    assert world.run(reload, look) == ["applied", "applied"]


def test_triggers_that_come_together_are_one_and_stop_goes_first(world: World) -> None:
    queue = TriggerQueue()
    for trigger in (Trigger.FILES, Trigger.RELOAD, Trigger.FILES, Trigger.STOP):
        queue.put(trigger)
    daemon = Daemon(world.kernel, queue, world)
    daemon.run(None)
    assert len(world.watched) == 1
    assert queue.empty()


def test_another_scheduler_is_named_and_left_alone(world: World) -> None:
    world.kernel.foreign = "scx_lavd"

    def leave() -> Trigger:
        assert world.kernel.calls == []
        world.kernel.foreign = None
        return Trigger.FILES

    assert world.run(leave) == ["rejected", "applied"]
    assert "scx_lavd" in world.entries[0]["MESSAGE"]


LIMIT = Quota("/system.slice/web.service", 50_000, 100_000, "web.service")


def test_a_quota_that_stays_ends_it_and_an_edit_tries_anew(world: World) -> None:
    def appear() -> None:
        world.kernel.limits, world.kernel.totals = (LIMIT,), SchedStats(nr_quota_changes=1)

    def wait() -> None:
        assert world.kernel.running, "it is not ended at once"
        world.now += GRACE_S

    def gone() -> Trigger:
        assert not world.kernel.running
        assert edit(3) is Trigger.FILES
        return Trigger.FILES

    def free() -> Trigger:
        assert not world.kernel.running
        world.kernel.limits = ()
        return Trigger.FILES

    events = world.run(appear, wait, gone, free)
    assert events == ["applied", "quota", "quota-detached", "rejected", "applied"]
    said, ended, rejected = world.entries[1:4]
    assert "web.service: 50% of a CPU" in said["MESSAGE"]
    assert (said["SCHEDCTL_CGROUP"], said["SCHEDCTL_UNIT"]) == (LIMIT.cgroup, LIMIT.unit)
    assert (said["PRIORITY"], ended["PRIORITY"]) == ("3", "3")
    assert "error: /system.slice/web.service: 50% of a CPU" in rejected["MESSAGE"]
    assert rejected["SCHEDCTL_EXIT_CODE"] == "69"


def test_after_a_quota_the_last_good_policy_comes_back_not_the_selected_one(world: World) -> None:
    edit(1)
    world.good = Ran(desired_image(load_profile(file())), CpuMax.REFUSE, Selected())
    edit(6)
    thrice = tuple(Ejection(0, "6", "edited", "error", "why", Blame.POLICY) for _ in range(3))
    levels: list[int | None] = []

    def appear() -> None:
        assert world.level() == 1
        world.kernel.limits, world.kernel.totals = (LIMIT,), SchedStats(nr_quota_changes=1)

    def wait() -> None:
        world.now += GRACE_S

    def gone() -> Trigger:
        assert not world.kernel.running
        world.kernel.limits = ()
        return edit(4)

    def look() -> Trigger:
        levels.append(world.level())
        return edit(5)

    write_ejections(Ejections(thrice, Decision(Next.LAST_GOOD, "why", 0)))
    assert "quota-detached" in world.run(appear, wait, gone, look, look)
    assert levels == [1, 1], "until a person applies"
    world.kernel.detach()
    world.good = None
    world.run()
    assert not world.kernel.running, "then nothing, and not what was ended three times"


def test_a_quota_that_goes_is_forgiven(world: World) -> None:
    def appear() -> None:
        world.kernel.limits, world.kernel.totals = (LIMIT,), SchedStats(nr_quota_changes=1)

    def go() -> None:
        world.kernel.limits = ()
        world.now += GRACE_S

    assert world.run(appear, go, lambda: None) == ["applied", "quota"]
    assert world.kernel.running


def test_quotas_that_the_profile_lets_go_end_nothing(world: World) -> None:
    world.kernel.limits = (LIMIT,)
    file().write_text(EDITED % 6 + "policy: {cpu_max: ignore}\n")

    def wait() -> None:
        world.kernel.totals = SchedStats(nr_quota_changes=1)
        world.now += 10 * GRACE_S

    assert world.run(wait, lambda: None) == ["applied"]
    assert world.kernel.running


def test_events_are_heard_while_it_lives(world: World) -> None:
    def happen() -> Trigger:
        assert world.kernel.events is not None
        assert world.kernel.events.listening
        world.kernel.events.pending.append(Event(1, 5000, 1, EventKind.MISS, 1, 7, 7, b"x"))
        return Trigger.EVENTS

    assert world.run(happen, lambda: None) == ["applied", "miss"]
    assert world.kernel.events is not None
    assert not world.kernel.events.listening
