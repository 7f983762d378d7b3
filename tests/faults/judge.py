# SPDX-License-Identifier: GPL-2.0-only
"""What must hold after any fault, whoever looks: on the fake kernel and on the real one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from schedctl import paths, trying
from schedctl.errors import EXIT_STATUS_DIFFERS, SchedctlError
from schedctl.history import read_history
from schedctl.image.model import PolicyImage
from schedctl.last_good import last_good
from schedctl.pending import read_pending
from tests.faults.scenarios import DAEMON, Command, Scenario, World

# errors.py: what a command that was hit may end with.
CODES = (0, 1, 64, 65, 66, 69, 73, 75, 77)
EXIT_UNNOTED = 73
KILLED = -9
EXIT_PINS = "pins of a scheduler that does not run"
SCRAPS = (".new-", ".selected-", ".schedctl-")


@dataclass(frozen=True, slots=True)
class Running:
    """A scheduler: its policy, and the object it was loaded from."""

    policy: PolicyImage
    object_id: str | None


class Machine(Protocol):
    ejected: Running | None
    """What the kernel has ended before the command; a daemon may attach it once more."""

    def running(self) -> Running | None:
        """What the kernel runs by its own word; raises WrongError where it does not settle."""
        ...

    def run(self, command: Command) -> tuple[int, str]:
        """Exit code and what was said."""
        ...

    def left_over(self) -> list[str]:
        """What of the kernel's is ours and not in use."""
        ...


class Wrong(StrEnum):
    """What a fault must not lead to."""

    MIXED = "neither the old policy nor the new one"
    LOST = "lost"
    LEFT = "left over"
    UNTRUE = "not what was said"
    STUCK = "does not converge"
    ANOTHER_WAY = "it went another way"


class WrongError(AssertionError):
    """`wrong` with what was found."""

    def __init__(self, wrong: Wrong, text: str) -> None:
        super().__init__(f"{wrong}: {text}")
        self.wrong = wrong


def must(condition: object, wrong: Wrong, text: str) -> None:
    if not condition:
        raise WrongError(wrong, text)


class Judge:
    """`old` and `new` are what runs before and after the command when nothing goes wrong."""

    def __init__(
        self, machine: Machine, scenario: Scenario, old: Running | None, new: Running | None
    ) -> None:
        self._machine, self._scenario, self._old, self._new = machine, scenario, old, new
        self._good_before = good_policy()

    def hit(self, code: int, said: str) -> None:
        """Right after the fault."""
        found = self._machine.running()
        between = self._scenario.world is World.UPGRADED and code == KILLED and found is None
        must(found in (self._old, self._new) or between, Wrong.MIXED, _name(found))
        must(code in (KILLED, *CODES), Wrong.UNTRUE, f"exit code {code}: {said}")
        if code != KILLED and self._scenario.command != DAEMON:
            must(code == 0 or said.strip(), Wrong.UNTRUE, f"exit code {code} and not a word")
            all_the_same = self._scenario.way_out and code == EXIT_UNNOTED and found == self._new
            right = found == self._new if code == 0 else found == self._old or all_the_same
            must(right, Wrong.UNTRUE, f"exit code {code}, and {_name(found)} runs: {said}")
        self.good()

    def good(self) -> None:
        """The last good policy can be read, and is what it was or one of these two."""
        found = good_policy()
        both = (one.policy for one in (self._old, self._new) if one is not None)
        allowed = (self._good_before, *both)
        must(found in allowed, Wrong.LOST, f"the last good policy is {found}")

    def freed(self) -> None:
        """The old one runs, and of the new one nothing is left in the kernel."""
        found = self._machine.running()
        must(found == self._old, Wrong.MIXED, f"{_name(found)} runs")
        left = self._machine.left_over()
        must(not left, Wrong.LEFT, ", ".join(left))

    def converges(self) -> None:
        """The next start leads to what ran before or to what is to run; then the same command goes through.

        A daemon always brings what is installed.
        """
        code, said = self._machine.run(DAEMON)
        must(code == 0, Wrong.STUCK, f"the daemon: {code}: {said}")
        found = self._machine.running()
        allowed = [self._new]
        if self._scenario.world is not World.UPGRADED:
            allowed += [self._old, self._machine.ejected]
        must(found in allowed, Wrong.MIXED, f"the daemon went to {_name(found)}")
        code, said = self._machine.run(("status",))
        waits = self._scenario.person_decides and found == self._old and code == EXIT_STATUS_DIFFERS
        must(code == 0 or waits, Wrong.STUCK, f"after the daemon's start, status: {code}: {said}")
        waiting = read_pending()
        right = waiting is None or (found is not None and waiting.is_about(found.policy))
        must(right, Wrong.LEFT, "what waits for a confirmation does not run")
        self.clean()
        if self._scenario.command != DAEMON:
            code, said = self._machine.run(self._scenario.again or self._scenario.command)
            must(code == 0, Wrong.STUCK, f"the next time: {code}: {said}")
            must(self._machine.running() == self._new, Wrong.STUCK, "the next time changes nothing")
        self.clean()
        self.good()

    def boots(self, attached: bool) -> None:
        """After a power cut: nothing is lost, and what the machine went down with is not attached again."""
        self.good()
        self._state()
        code, said = self._machine.run(DAEMON)
        must(code == 0, Wrong.STUCK, f"the daemon after a power cut: {code}: {said}")
        found = self._machine.running()
        proved = self._scenario.command == ("confirm",)
        must(found is None or not attached or proved, Wrong.UNTRUE, f"{_name(found)} is attached again")
        self.clean()
        code, said = self._machine.run(("apply", "one"))
        must(code == 0, Wrong.STUCK, f"a person applies: {code}: {said}")
        self.clean()

    def _state(self) -> None:
        """The standing choice, the history and the mark of what is tried are whole."""
        text = paths.standing_file().read_text()
        must(text in ("profile: one\n", "profile: two\n"), Wrong.LOST, f"schedctl.yaml says {text!r}")
        for problem in read_history().problems:
            raise WrongError(Wrong.LOST, problem.message)
        trying.mark()

    def clean(self) -> None:
        left = [*scraps(), *self._machine.left_over()]
        if self._scenario.world is World.EJECTED and self._machine.running() is None:
            left = [name for name in left if name != EXIT_PINS]  # they have the kernel's reason
        must(not left, Wrong.LEFT, ", ".join(left))


def good_policy() -> object:
    """None where there is none; WrongError where it is damaged."""
    try:
        found = last_good()
    except SchedctlError as error:
        raise WrongError(Wrong.LOST, error.message) from None
    return None if found is None else found.image


def scraps() -> Iterator[str]:
    """Files that only an apply under way has."""
    folders = (paths.run_dir(), paths.state_dir(), paths.standing_file().parent)
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                if name.startswith(SCRAPS) or Path(parent, name) == paths.run_dir() / "checkpoint":
                    yield str(Path(parent, name))


def _name(found: Running | None) -> str:
    if found is None:
        return "nothing"
    return f"policy {found.policy.profile} of object {(found.object_id or 'unknown')[:8]}"
