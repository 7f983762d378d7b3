# SPDX-License-Identifier: GPL-2.0-only
"""Every fault at every step of a scenario, one after the other, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.faults.faults import Fault, Kind, of_step
from tests.faults.judge import KILLED, Judge, Machine, Running, Wrong, WrongError, must
from tests.faults.scenarios import Command, Scenario
from tests.faults.steps import Step


class Testbed(Machine, Protocol):
    """A machine on which scenarios are played."""

    def prepare(self, scenario: Scenario) -> None:
        """As the scenario wants it before its command, and so that `restore` leads back to it."""
        ...

    attached_at_cut: bool
    """Whether a scheduler ran when the power went."""

    def restore(self) -> None: ...

    def hit(self, command: Command, fault: Fault | None = None) -> tuple[int, str, list[Step]]:
        """Exit code, what was said, the steps that were begun."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """`wrong` is "" where all that must hold holds."""

    scenario: str
    step: Step
    fault: Fault
    code: int
    wrong: str

    def to_document(self) -> dict[str, object]:
        return {
            "scenario": self.scenario,
            "step": str(self.step),
            "fault": str(self.fault),
            "became": "killed" if self.code == KILLED else f"exit {self.code}",
            "wrong": self.wrong,
        }


@dataclass(frozen=True, slots=True)
class Clean:
    """A run in which nothing went wrong."""

    steps: tuple[Step, ...]
    old: Running | None
    new: Running | None


def clean(machine: Testbed, scenario: Scenario) -> Clean:
    """Prepares the machine too; AssertionError where the command does not go through."""
    machine.prepare(scenario)
    old = machine.running()
    judge = Judge(machine, scenario, old, None)
    code, said, steps = machine.hit(scenario.command)
    assert code == 0, said
    judge.clean()
    return Clean(tuple(steps), old, machine.running())


def faults(steps: Sequence[Step]) -> Iterator[Fault]:
    """All that a machine in a folder can show."""
    for at, step in enumerate(steps):
        yield from of_step(at, step)
    yield Fault(Kind.KILL_BEHIND, len(steps) - 1)


def strike(machine: Testbed, scenario: Scenario, run: Clean, fault: Fault, whole: bool = True) -> Outcome:
    """On a machine that is as `clean` found it. Not `whole`: what comes next is left out."""
    machine.restore()
    step = run.steps[fault.at]
    judge = Judge(machine, scenario, run.old, run.new)
    code, wrong = 99, ""
    try:
        code, said, steps = machine.hit(scenario.command, fault)
        begun, wanted = steps[: fault.at + 1], run.steps[: fault.at + 1]
        same = list(map(str, begun)) == list(map(str, wanted))
        must(same, Wrong.ANOTHER_WAY, f"exit code {code}: {said}")
        if fault.kind in (Kind.CUT, Kind.CUT_EMPTY):
            judge.boots(machine.attached_at_cut)
        else:
            judge.hit(code, said)
            judge.converges() if whole else judge.freed()
    except WrongError as error:
        wrong = " ".join(str(error).split())
    return Outcome(scenario.name, step, fault, code, wrong)
