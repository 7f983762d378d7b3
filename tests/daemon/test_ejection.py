# SPDX-License-Identifier: GPL-2.0-only
"""What follows an ejection: the decision itself, then the daemon on the fake kernel, with its own clock."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from schedctl import paths
from schedctl.books import Errand
from schedctl.daemon.ejection import (
    BACK_OFF_NS,
    BREAKER,
    POSTPONED_NS,
    SECOND_NS,
    WINDOW_NS,
    decide,
)
from schedctl.daemon.triggers import Trigger
from schedctl.ejections import (
    Blame,
    Decision,
    Ejection,
    Ejections,
    Next,
    blame_of,
    forget_ejections,
    read_ejections,
    write_ejections,
)
from schedctl.errors import ApplyError, StateError
from schedctl.image.compile import compile_image
from schedctl.image.model import PolicyImage
from schedctl.image.stats import ExitRecord
from schedctl.notes import Notes
from schedctl.observe import observe
from schedctl.profile import load_profile
from schedctl.profile.model import CpuMax
from schedctl.ran import Ran
from schedctl.reconcile import desired_image, reconcile, resolved_here
from schedctl.request import myself
from schedctl.selected import Selected
from tests.armed import ArmedTimers
from tests.daemon.world import World, edit, file, select
from tests.daemon.world import world as world

__all__ = ["world"]


def error(kind: int, msg: str = "", at_ns: int = 1) -> ExitRecord:
    return ExitRecord(kind, 0, at_ns, "runtime error", msg)


@pytest.mark.parametrize(
    ("record", "blame"),
    [
        (None, Blame.PERSON),
        (error(64), Blame.PERSON),
        (error(66, "cpu 1 going offline, exiting scheduler"), Blame.HOST),
        (error(67), Blame.PERSON),
        (error(1024, "non-existent DSQ 0xdead"), Blame.POLICY),
        (error(1024, "RCU CPU stall on CPUs (0-1)"), Blame.HOST),
        (error(1024, "soft lockup - CPU 3 stuck for 21s"), Blame.HOST),
        (error(1024, "hard lockup - CPU 0"), Blame.HOST),
        (error(1025, "hard lockup - CPU 0, said the scheduler itself"), Blame.POLICY),
        (error(1026, "cc1[7] failed to run for 30s"), Blame.POLICY),
        (error(1027), Blame.POLICY),
        (error(4711), Blame.POLICY),
    ],
)
def test_whose_doing_it_was(record: ExitRecord | None, blame: Blame) -> None:
    assert blame_of(record) is blame


def ejections(policies: str, blame: Blame = Blame.POLICY, each_ns: int = SECOND_NS) -> tuple[Ejection, ...]:
    """One per letter."""
    return tuple(
        Ejection(number * each_ns, policy, "game", "error", "why", blame)
        for number, policy in enumerate(policies)
    )


def decided(policies: str, good: str | None = None, blame: Blame = Blame.POLICY) -> Decision:
    past = ejections(policies, blame)
    return decide(past, past[-1].at_ns, good)


def test_each_attempt_waits_longer() -> None:
    for number, policies in enumerate(("a", "aa", "aab", "aabb", "aabbc", "aabbcc")):
        decision = decided(policies)
        assert decision.next is Next.RETRY
        wait_ns = BACK_OFF_NS[min(number, len(BACK_OFF_NS) - 1)]
        assert decision.at_ns == number * SECOND_NS + wait_ns


@pytest.mark.parametrize(
    ("policies", "good", "then"),
    [
        ("aaa", None, Next.HOLD),
        ("aaa", "a", Next.HOLD),
        ("aaa", "b", Next.LAST_GOOD),
        ("aba", "b", Next.RETRY),
        ("abaa", "b", Next.LAST_GOOD),
        ("aaabb", "b", Next.RETRY),
        ("aaabbb", "b", Next.HOLD),
        ("bbbaaa", "b", Next.HOLD),
    ],
)
def test_the_breaker_opens_by_policy(policies: str, good: str | None, then: Next) -> None:
    assert decided(policies, good).next is then


def test_what_is_long_ago_is_forgiven() -> None:
    past = ejections("aaa", each_ns=WINDOW_NS // 2)
    assert decide(past, past[-1].at_ns, None).next is Next.RETRY
    past = ejections("aaa", each_ns=WINDOW_NS // 2 - 1)
    assert decide(past, past[-1].at_ns, None).next is Next.HOLD


def test_the_machine_s_doing_blames_no_policy() -> None:
    assert decided("aa", "b", Blame.HOST).next is Next.RETRY
    assert decided("a" * BREAKER, "b", Blame.HOST).next is Next.HOLD
    past = (*ejections("aa", Blame.HOST), Ejection(3 * SECOND_NS, "a", "game", "error", "why", Blame.POLICY))
    assert decide(past, 3 * SECOND_NS, "b").next is Next.RETRY


def test_a_person_is_obeyed() -> None:
    assert decided("a", "b", Blame.PERSON).next is Next.HOLD


def test_the_file_is_read_back_and_damage_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    assert read_ejections() == Ejections()
    kept = Ejections(ejections("ab"), Decision(Next.RETRY, "why", 17))
    write_ejections(kept)
    assert read_ejections() == kept
    assert paths.ejections_file().stat().st_mode & 0o777 == 0o600, "reasons name threads"
    good = paths.ejections_file().read_text()
    for bad in ("", "[]", "{}", "null", good.replace("retry", "fly"), good.replace('"past"', '"future"')):
        paths.ejections_file().write_text(bad)
        assert read_ejections() == Ejections()
    forget_ejections()
    forget_ejections()
    assert not paths.ejections_file().exists()
    paths.ejections_file().mkdir()  # takes the name that the new file is to have
    with pytest.raises(StateError):
        write_ejections(kept)


# --- the daemon ------------------------------------------------------------------------------------


class Life:
    """Steps for World.run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._records = 1

    def eject(self, kind: int = 1026, msg: str = "cc1[7] failed to run for 30s") -> None:
        self._records += 1
        self.world.kernel.eject(error(kind, msg, self._records))

    def wait(self, seconds: float) -> None:
        self.world.now += seconds

    def runs(self, expected: bool) -> None:
        assert self.world.kernel.running is expected


@pytest.fixture
def life(world: World) -> Life:
    return Life(world)


def test_a_stall_is_tried_again_after_a_second(world: World, life: Life) -> None:
    world.kernel.dump = "the kernel's dump"
    steps = (life.eject, lambda: life.wait(0.9), lambda: life.runs(False), lambda: life.wait(0.2))
    assert world.run(*steps, lambda: life.runs(True)) == ["applied", "ejected", "applied"]
    said = world.entries[1]
    assert (said["SCHEDCTL_EXIT_KIND"], said["SCHEDCTL_BLAME"], said["PRIORITY"]) == (
        "error_stall",
        "policy",
        "3",
    )
    assert said["SCHEDCTL_EXIT_MSG"] == "cc1[7] failed to run for 30s"
    assert (said["SCHEDCTL_DUMP"], said["SCHEDCTL_NEXT"]) == ("the kernel's dump", "retry")
    assert "attached again in 1 s" in said["MESSAGE"]
    assert len(read_ejections().past) == 1
    assert read_ejections().decision is None


def thrice(life: Life) -> list[object]:
    return [
        life.eject,
        lambda: life.wait(1),
        life.eject,
        lambda: life.wait(5),
        life.eject,
        lambda: life.wait(25),
    ]


def test_the_third_time_it_is_left_to_the_kernel(world: World, life: Life) -> None:
    def edited() -> Trigger:
        life.runs(False)
        edit(3)
        return Trigger.FILES

    events = world.run(*thrice(life), edited, lambda: life.wait(3600), lambda: life.runs(False))  # type: ignore[arg-type]
    assert events == ["applied", "ejected", "applied", "ejected", "applied", "ejected"]
    assert "nothing attaches before `schedctl apply`" in world.entries[-1]["MESSAGE"]


def test_a_restart_defeats_neither_count_nor_wait(world: World, life: Life) -> None:
    assert world.run(life.eject, lambda: life.wait(0.5)) == ["applied", "ejected"]
    assert world.run(lambda: life.runs(False), lambda: life.wait(0.5)) == ["applied"]
    life.runs(True)
    assert world.run(life.eject, lambda: life.wait(5)) == ["unchanged", "ejected", "applied"]
    life.eject()
    assert world.run(lambda: life.wait(3600)) == ["ejected"]
    life.runs(False)
    assert len(read_ejections().past) == 3


def good_image(level: int) -> PolicyImage:
    edit(level)
    return compile_image(resolved_here(load_profile(file())))


def test_the_last_good_policy_runs_until_a_person_applies(world: World, life: Life) -> None:
    world.good = Ran(good_image(1), CpuMax.REFUSE, Selected.profile("edited"))
    edit(6)

    def fallen_back() -> Trigger:
        assert world.level() == 1
        edit(4)
        return Trigger.FILES

    def by_a_person() -> Trigger:
        assert world.level() == 1, "an edit is no apply"
        decision = read_ejections().decision
        assert decision is not None
        assert decision.next is Next.FALLEN_BACK
        reconcile(world.kernel, desired_image(load_profile(file())))
        forget_ejections()
        return select(Selected.profile("edited"))

    events = world.run(*thrice(life), fallen_back, by_a_person, lambda: edit(2))  # type: ignore[arg-type]
    assert events[-4:] == ["ejected", "applied", "unchanged", "applied"]
    assert world.level() == 2


def test_an_ejected_last_good_policy_is_not_retried_for_ever(world: World, life: Life) -> None:
    world.good = Ran(good_image(1), CpuMax.REFUSE, Selected.profile("edited"))
    edit(6)
    again = [step for _ in range(2) for step in (life.eject, lambda: life.wait(125))]
    world.run(*thrice(life), *again, life.eject, lambda: life.wait(125))  # type: ignore[arg-type]
    life.runs(False)
    decision = read_ejections().decision
    assert decision is not None
    assert decision.next is Next.HOLD
    assert "so was the selected one" in decision.why


def test_a_refused_attempt_counts_as_an_ejection(world: World, life: Life) -> None:
    def refuse() -> None:
        world.kernel.fail = "attach"
        life.wait(1)

    def refuse_again() -> None:
        world.kernel.fail = "attach"
        life.wait(5)

    assert world.run(life.eject, refuse, refuse_again, lambda: life.wait(3600)) == [
        "applied",
        "ejected",
        "rejected",
    ]
    decision = read_ejections().decision
    assert decision is not None
    assert decision.next is Next.HOLD


def test_another_scheduler_is_left_alone_and_not_counted(world: World, life: Life) -> None:
    def foreign() -> None:
        life.eject()
        world.kernel.foreign = "scx_lavd"

    def gone() -> None:
        assert "attach" not in world.kernel.calls[1:]
        world.kernel.foreign = None

    later = POSTPONED_NS // SECOND_NS
    steps = (foreign, lambda: life.wait(1), lambda: life.wait(2), gone, lambda: life.wait(later))
    assert world.run(*steps) == ["applied", "ejected", "rejected", "applied"]
    assert len(read_ejections().past) == 1
    life.runs(True)


def apply_of_a_person(world: World) -> None:
    errand = Errand(myself(), "apply", ArmedTimers(), Notes(Selected.profile("edited")))
    reconcile(world.kernel, desired_image(load_profile(file())), errand=errand)


def failed_apply(world: World) -> None:
    """It has taken away the pins of what was ejected, and then the kernel refuses."""
    world.kernel.fail = "attach"
    with pytest.raises(ApplyError):
        apply_of_a_person(world)
    assert not world.kernel.pinned()


def held() -> str:
    decision = read_ejections().decision
    assert decision is not None
    assert decision.next is Next.HOLD
    return decision.why


def test_what_a_failed_apply_leaves_is_not_attached_by_the_next_daemon(world: World, life: Life) -> None:
    """Nobody had seen the ejection: no daemon ran."""
    world.run()
    life.eject()
    failed_apply(world)
    assert "failed to run for 30s), and the change after that has failed" in held()
    assert world.run(lambda: edit(3), lambda: life.wait(3600), lambda: life.runs(False)) == []
    failed_apply(world)
    apply_of_a_person(world)
    assert read_ejections() == Ejections()
    assert world.run(lambda: edit(4)) == ["unchanged", "applied"]


def test_nor_by_one_that_runs_and_had_not_looked(world: World, life: Life) -> None:
    def fail() -> Trigger:
        life.eject()
        failed_apply(world)
        return Trigger.FILES

    assert world.run(fail, lambda: life.wait(3600), lambda: life.runs(False)) == ["applied", "ejected"]
    held()


def test_what_the_daemon_has_decided_stays_after_a_failed_apply(world: World, life: Life) -> None:
    def fail() -> Trigger:
        failed_apply(world)
        return Trigger.FILES

    steps = (life.eject, fail, lambda: life.runs(False), lambda: life.wait(1), lambda: life.runs(True))
    assert world.run(*steps) == ["applied", "ejected", "applied"]


def test_an_apply_that_cannot_note_the_ejection_leaves_its_traces(world: World, life: Life) -> None:
    world.run()
    life.eject()
    paths.ejections_file().mkdir()  # takes the name
    with pytest.raises(StateError):
        apply_of_a_person(world)
    assert world.kernel.pinned()


def test_a_detach_by_a_person_forgets(world: World, life: Life) -> None:
    def detach() -> Trigger:
        select(Selected.none())
        world.kernel.detach()
        forget_ejections()
        return Trigger.FILES

    assert world.run(life.eject, detach, lambda: life.wait(3600)) == ["applied", "ejected", "idle"]
    life.runs(False)


def test_a_detach_that_was_killed_is_ended(world: World, life: Life) -> None:
    """Noted and detached, and then its pins were left: nobody is to take that for an ejection."""
    world.run(life.eject)
    select(Selected.none())
    assert observe(world.kernel).ejected
    assert world.run() == ["idle"]
    assert not world.kernel.pinned()
    assert not observe(world.kernel).ejected


def test_pins_that_nobody_can_remove_are_said(
    world: World, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise StateError("link cannot be removed: Read-only file system")

    world.run(life.eject)
    select(Selected.none())
    monkeypatch.setattr(world.kernel, "release", refuse)
    assert world.run() == ["rejected", "idle"]


def test_the_machine_s_stall_is_said_as_such(world: World, life: Life) -> None:
    def stall() -> None:
        life.eject(1024, "RCU CPU stall on CPUs (1)")

    world.run(stall, lambda: life.wait(1))
    said = world.entries[1]
    assert said["SCHEDCTL_BLAME"] == "host"
    assert "may not be the policy's fault" in said["MESSAGE"]
    life.runs(True)


def test_a_killed_swap_is_ended_before_anything_is_judged(world: World, life: Life) -> None:
    def killed() -> Trigger:
        world.kernel.eject(error(64))
        world.kernel.interrupted = True
        return Trigger.FILES

    assert world.run(killed) == ["applied", "converged"]
    life.runs(True)


def test_the_policy_of_the_file_is_what_was_ejected(world: World, life: Life) -> None:
    world.run(life.eject)
    kept = json.loads(paths.ejections_file().read_text())["past"]
    assert [one["profile"] for one in kept] == ["edited"]
    assert len(kept[0]["policy"]) == 64
    assert Fraction(kept[0]["at_ns"], SECOND_NS) == 0
