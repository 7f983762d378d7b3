# SPDX-License-Identifier: GPL-2.0-only
"""Observe, plan, apply on the fake kernel: the old policy or the new one, never a mix."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given

from schedctl.apply import apply_plan
from schedctl.errors import (
    ApplyError,
    ConflictError,
    HostError,
    PrivilegeError,
    SchedctlError,
    VerificationError,
)
from schedctl.image.abi import decode, generation_of
from schedctl.image.model import ImageClass, ImageItem, ImageRule, PolicyImage
from schedctl.image.stats import ClassStats, ExitRecord
from schedctl.observe import Owner, drift, observe
from schedctl.plan import Action, Mode, Operation, Plan, diff, make_plan
from schedctl.profile.model import Order, Power, RateStep, Recovery, Tier
from schedctl.reconcile import plan_change, reconcile
from tests.kernel.fake import FakeKernel
from tests.strategies import images

DEFAULT = ImageClass("default", Tier.FAIR, 0, 0, 0, 100)
GAME = ImageClass("game", Tier.REALTIME, 6, 0, 4_000_000, 100)
A = PolicyImage(
    "one", Order.EDF, Fraction(1, 10), (DEFAULT, GAME), (ImageRule("game", ImageItem(comm=("game",))),)
)
B = replace(A, fair_share=Fraction(1, 5), classes=(DEFAULT, replace(GAME, level=3)))
STALL = ExitRecord(1026, 0, 1, "runnable task stall", "cc1[7] did not run for 30s")


def attached() -> FakeKernel:
    kernel = FakeKernel()
    reconcile(kernel, A)
    return kernel


def test_the_first_apply_attaches_and_the_second_changes_nothing() -> None:
    kernel = FakeKernel()
    assert observe(kernel).owner is Owner.NONE
    first = reconcile(kernel, A)
    assert first.plan.actions == (Action.ATTACH,)
    assert first.plan.changed
    assert first.observation.image == A
    assert first.observation.owner is Owner.SCHEDCTL
    assert (first.observation.enable_seq, first.observation.generation) == (1, 1)
    assert not drift(A, first.observation)
    assert drift(B, first.observation)
    assert drift(None, first.observation)
    calls = list(kernel.calls)
    second = reconcile(kernel, A)
    assert not second.plan.changed
    assert second.plan.changes == ()
    assert second.plan.lines() == ["nothing to change: profile one runs"]
    assert kernel.calls == calls
    assert second.observation == first.observation


def test_a_change_goes_to_the_idle_slot_and_flips() -> None:
    kernel = attached()
    for generation, image in ((2, B), (3, A), (4, B)):
        old_slot = kernel.active
        kernel.stats[1 - old_slot] = ClassStats(nr_runs=7)
        old, kernel.calls = kernel.slots[old_slot], []
        outcome = reconcile(kernel, image)
        assert outcome.plan.actions == (Action.CHANGE,)
        assert kernel.calls == ["write_policy", "clear_class_stats", "flip"]
        assert kernel.active == 1 - old_slot
        assert kernel.slots[old_slot] == old
        assert outcome.observation.image == image
        assert outcome.observation.generation == generation
        assert outcome.observation.enable_seq == 1
        live = outcome.observation.live
        assert live is not None
        assert live.classes["game"].nr_runs == 0


def test_what_a_change_says() -> None:
    kernel = attached()
    changed = replace(B, profile="two", classes=(DEFAULT, replace(B.classes[1], deadline_ns=2_500_000)))
    plan = plan_change(kernel, changed)
    assert plan.lines() == [
        "change the running scheduler's policy, profile two",
        "  ~ profile: one -> two",
        "  ~ fair_share: 10% -> 20%",
        "  ~ classes.game.level: 6 -> 3",
        "  ~ classes.game.deadline: 4ms -> 2500us",
    ]
    assert plan.to_document()["changes"][2] == {
        "operation": "replace",
        "path": "classes.game.level",
        "old": 6,
        "new": 3,
        "mode": "live",
    }


def test_a_stale_plan_is_refused() -> None:
    kernel = attached()
    stale = plan_change(kernel, B)
    reconcile(kernel, replace(A, profile="two"))
    active = kernel.slots[kernel.active]
    with pytest.raises(ConflictError) as caught:
        apply_plan(kernel, stale)
    assert caught.value.exit_code == 75
    assert kernel.slots[kernel.active] == active
    late = plan_change(FakeKernel(), B)
    with pytest.raises(ConflictError):
        apply_plan(kernel, late)
    assert kernel.slots[kernel.active] == active


def test_a_torn_write_is_not_switched_to() -> None:
    kernel = attached()
    kernel.torn = True
    with pytest.raises(VerificationError):
        reconcile(kernel, B)
    assert observe(kernel).image == A
    assert "flip" not in kernel.calls
    kernel.torn = False
    assert reconcile(kernel, B).observation.image == B


@pytest.mark.parametrize("call", ["attach", "write_policy", "clear_class_stats", "flip", "detach"])
def test_a_refused_call_leaves_the_old_policy_or_the_new(call: str) -> None:
    kernel = FakeKernel() if call == "attach" else attached()
    old = observe(kernel).image
    kernel.fail = call
    with pytest.raises(ApplyError) as caught:
        kernel.detach() if call == "detach" else reconcile(kernel, B)
    assert caught.value.exit_code == 1
    assert observe(kernel).image == old
    assert not observe(kernel).leftovers
    outcome = reconcile(kernel, B)
    assert outcome.observation.image == B
    assert not plan_change(kernel, B).changed


def test_an_ejected_scheduler_is_released_and_attached_anew() -> None:
    kernel = attached()
    kernel.eject(STALL)
    observation = observe(kernel)
    assert observation.ejected
    assert observation.owner is Owner.NONE
    assert observation.live is None
    assert observation.last_exit == STALL
    outcome = reconcile(kernel, B)
    assert outcome.plan.actions == (Action.RELEASE, Action.ATTACH)
    assert outcome.observation.image == B
    assert not outcome.observation.ejected
    assert outcome.observation.last_exit is None


def test_a_plan_for_a_scheduler_that_has_ended_meanwhile_fails() -> None:
    kernel = attached()
    plan = plan_change(kernel, B)
    kernel.eject(STALL)
    with pytest.raises(SchedctlError):
        apply_plan(kernel, plan)
    assert observe(kernel).ejected


@pytest.mark.parametrize(
    ("kernel", "error", "exit_code"),
    [
        (FakeKernel(sched_ext=False), HostError, 69),
        (FakeKernel(root=False), PrivilegeError, 77),
    ],
)
def test_what_this_machine_cannot(kernel: FakeKernel, error: type[SchedctlError], exit_code: int) -> None:
    with pytest.raises(error) as caught:
        reconcile(kernel, A)
    assert caught.value.exit_code == exit_code
    assert kernel.calls == []


@pytest.mark.parametrize("leftovers", [False, True])
def test_another_scheduler_is_named_and_left_alone(leftovers: bool) -> None:
    kernel = attached() if leftovers else FakeKernel()
    if leftovers:
        kernel.eject(STALL)
    kernel.foreign, calls = "scx_lavd", list(kernel.calls)
    assert observe(kernel).owner is Owner.OTHER
    for attempt in (lambda: reconcile(kernel, A), lambda: plan_change(kernel, A)):
        with pytest.raises(ConflictError, match="scx_lavd") as caught:
            attempt()
        assert caught.value.exit_code == 75
    assert kernel.calls == calls


def test_one_of_our_name_without_our_pins_is_another() -> None:
    kernel = FakeKernel()
    kernel.running = True
    observation = observe(kernel)
    assert observation.owner is Owner.OTHER
    with pytest.raises(ConflictError, match="its pins are missing"):
        make_plan(A, observation)


def test_without_root_what_runs_is_seen_but_not_its_policy() -> None:
    kernel = attached()
    kernel.root = False
    observation = observe(kernel)
    assert (observation.owner, observation.live) == (Owner.SCHEDCTL, None)
    with pytest.raises(PrivilegeError):
        make_plan(A, observation)


def test_a_policy_of_another_layout_is_not_read() -> None:
    kernel = attached()
    kernel.slots[0] = (99).to_bytes(4, "little") + kernel.slots[0][4:]
    with pytest.raises(ApplyError, match="layout 99"):
        plan_change(kernel, A)


def patched(live: PolicyImage, plan: Plan) -> PolicyImage:
    """The live image after the plan's changes, one by one: the plan read as a description."""
    document = live.to_document()
    classes, added = document["classes"], dict[int, Any]()
    rules: list[Any] = [rule.to_document() for rule in live.rules if not rule.implicit]
    for change in plan.changes:
        part, _, rest = change.path.partition(".")
        name, _, key = rest.partition(".")
        holder: dict[Any, Any] = classes.get(name, {}) if key else classes if name else document
        if found := re.fullmatch(r"rules\[(\d+)]", change.path):
            rank = int(found[1])
            if change.operation is Operation.ADD:
                added[rank] = change.new
            else:
                assert rules[rank] == change.old
                rules[rank] = None
        elif change.path == "classes":
            assert [n for n in classes if n in change.old] == change.old
            document["classes"] = classes = {name: classes[name] for name in [*change.new, *classes]}
        else:
            last = key or name or part
            assert holder.get(last) == change.old
            if change.operation is Operation.REMOVE:
                del holder[last]
            else:
                holder[last] = change.new
    document["rules"] = [rule for rule in rules if rule is not None]
    for rank in sorted(added):
        document["rules"].insert(rank, added[rank])
    # where a new class stands among the others is not said: the place has no effect
    order = {cls.name: i for i, cls in enumerate(plan.desired.classes)}
    image = PolicyImage.from_document(document)
    kept = {cls.name for cls in live.classes}
    assert [n for n in document["classes"] if n in kept] == [n for n in order if n in kept]
    # nor are the rules of `schedctl run`, which every class has
    implicit = tuple(rule for rule in plan.desired.rules if rule.implicit)
    classes_in_order = tuple(sorted(image.classes, key=lambda cls: order[cls.name]))
    return replace(image, classes=classes_in_order, rules=(*implicit, *image.rules))


@given(images, images)
def test_a_plan_is_the_difference(live: PolicyImage, desired: PolicyImage) -> None:
    kernel = FakeKernel()
    reconcile(kernel, live)
    plan = plan_change(kernel, desired)
    assert plan.changed == bool(plan.changes) == (live != desired)
    assert len({(change.operation, change.path) for change in plan.changes}) == len(plan.changes)
    assert all(change.old != change.new for change in plan.changes)
    assert patched(live, plan) == desired
    assert apply_plan(kernel, plan).image == desired
    assert plan_change(kernel, desired).changes == ()


def test_the_lines_of_new_keys() -> None:
    recovery = Recovery(3, 1_000_000_000, 2_000_000_000)
    steps = (RateStep(5_000_000, 7), RateStep(None, 3))
    lift = replace(GAME, runtime_ns=400_000, threads=2, slice_ns=250_000, recovery=recovery)
    old = replace(A, classes=(DEFAULT, GAME))
    new = replace(
        old,
        background_share=Fraction(1, 40),
        power=Power.PERFORMANCE,
        classes=(DEFAULT, replace(lift, measured=True, rate_monotonic=steps)),
    )
    assert [change.line() for change in diff(old, new)] == [
        "~ background_share: 1% -> 2.5%",
        "~ power: balanced -> performance",
        "~ classes.game.slice: 4ms -> 250us",
        "+ classes.game.rate_monotonic: at_most 5ms, level 7; else 3",
        "+ classes.game.measured: yes",
        "+ classes.game.runtime: 400us",
        "+ classes.game.overrun: throttle",
        "+ classes.game.threads: 2",
        "+ classes.game.recovery: after 3, within 1s, decay 2s",
    ]


@given(images)
def test_a_first_plan_adds_everything(desired: PolicyImage) -> None:
    changes = diff(None, desired)
    assert {change.operation for change in changes} == {Operation.ADD}
    document = desired.to_document()
    declared = [rule for rule in desired.rules if not rule.implicit]
    assert len(changes) == 6 + len(document["classes"]) + len(declared)
    assert {c.path.removeprefix("classes.") for c in changes} >= set(document["classes"])


@given(images, images)
def test_the_document_of_an_image_is_the_image(image: PolicyImage, other: PolicyImage) -> None:
    assert PolicyImage.from_document(json.loads(json.dumps(image.to_document()))) == image
    assert (json.dumps(image.to_document()) == json.dumps(other.to_document())) == (image == other)


def test_generations_survive_a_refused_flip() -> None:
    kernel = attached()
    kernel.fail = "flip"
    with pytest.raises(ApplyError):
        reconcile(kernel, B)
    assert generation_of(kernel.slots[1]) == 2
    reconcile(kernel, A)
    assert decode(kernel.slots[kernel.active]) == (A, 1, 0)


def upgraded() -> FakeKernel:
    kernel = attached()
    kernel.installed = "b" * 64
    return kernel


def test_another_object_is_swapped_and_the_same_one_adopted() -> None:
    kernel = upgraded()
    plan = plan_change(kernel, A)
    assert (plan.actions, plan.changes, plan.changed) == ((Action.SWAP,), (), True)
    assert plan.lines() == ["replace the running scheduler by the installed one"]
    outcome = reconcile(kernel, A)
    assert (outcome.observation.image, outcome.observation.generation) == (A, 1)
    assert kernel.object == kernel.installed
    assert kernel.calls[-2:] == ["load", "swap"]
    assert not reconcile(kernel, A).plan.changed


def test_an_upgrade_and_another_policy_are_both_done() -> None:
    kernel = upgraded()
    outcome = reconcile(kernel, B)
    assert outcome.plan.actions == (Action.SWAP, Action.CHANGE)
    assert {change.mode for change in outcome.plan.changes} == {Mode.LIVE}
    assert (outcome.observation.image, outcome.observation.generation) == (B, 2)


@pytest.mark.parametrize("call", ["load", "swap"])
def test_a_refused_swap_leaves_what_ran(call: str) -> None:
    kernel = upgraded()
    kernel.fail = call
    with pytest.raises(ApplyError):
        reconcile(kernel, B)
    assert (observe(kernel).image, kernel.object) == (A, "a" * 64)
    assert reconcile(kernel, B).observation.image == B


def test_a_policy_of_another_layout_is_replaced_with_its_scheduler() -> None:
    kernel = upgraded()
    kernel.slots[kernel.active] = bytes([99, 0, 0, 0]) + kernel.slots[kernel.active][4:]
    outcome = reconcile(kernel, B)
    assert outcome.plan.actions == (Action.SWAP,)
    assert {change.mode for change in outcome.plan.changes} == {Mode.SWAP}
    assert "  + profile: one (swap)" in outcome.plan.lines()
    assert (outcome.observation.image, outcome.observation.generation) == (B, 1)


def test_without_an_object_what_runs_goes_on() -> None:
    kernel = attached()
    kernel.installed = None
    assert reconcile(kernel, B).plan.actions == (Action.CHANGE,)


def test_an_interrupted_swap_is_ended_first() -> None:
    kernel = attached()
    kernel.eject(ExitRecord(64, 0, 1))
    kernel.interrupted = True
    assert not reconcile(kernel, A).plan.changed
    assert kernel.running
