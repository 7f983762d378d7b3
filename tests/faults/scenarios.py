# SPDX-License-Identifier: GPL-2.0-only
"""The changes that are interrupted: the commands before, and the one that meets the fault."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PROFILES = {
    name: f"schedctl: 1\nname: {name}\nclasses:\n  game: {{match: [{{comm: game}}], level: {level}}}\n"
    for name, level in (("one", 3), ("two", 4), ("three", 5))
}
EDITED = PROFILES["one"].replace("level: 3", "level: 6")
FILE = "/etc/schedctl/three.yaml"
"""Not in the folder of profiles: it is copied."""
LONG = "3600s"
# Instead of the service manager's: no timer is to go off later. They are found by PATH.
SILENT = ("systemd-run", "systemctl")

Command = tuple[str, ...]
DAEMON: Command = ("daemon",)
"""A daemon that starts, does what there is to do, and stops."""


class World(StrEnum):
    """What happens between the commands before and the one that is hit."""

    AS_IT_IS = ""
    EJECTED = "ejected"
    """The kernel has ended the scheduler."""
    EDITED = "edited"
    """The profile that runs says something else."""
    UPGRADED = "upgraded"
    """Another scheduler is installed than runs."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`FILE` is a word that a machine replaces by where it lies."""

    name: str
    before: tuple[Command, ...]
    command: Command
    again: Command | None = None
    """What leads to the same, in the end, where the command itself would go on from there."""
    world: World = World.AS_IT_IS
    person_decides: bool = False
    """A daemon that starts changes nothing where the fault left what was: a person has to say it again."""
    way_out: bool = False
    """It goes through although nothing can be written, and says so."""


_ONE, _TWO = ("apply", "one"), ("apply", "two")
_WITHIN = ("apply", "two", "--confirm-within", LONG)

SCENARIOS = (
    Scenario("attach", (), _ONE),
    Scenario("change", (_ONE,), _TWO),
    Scenario("file", (_ONE,), ("apply", FILE)),
    Scenario("persist", (_ONE,), ("apply", "two", "--persist")),
    Scenario("standing", (_ONE, _TWO), ("apply",)),
    Scenario("within", (_ONE,), _WITHIN),
    Scenario("confirm", (_ONE, _WITHIN), ("confirm",), _TWO),
    Scenario("unconfirmed", (_ONE, _WITHIN), ("rollback", "--unconfirmed", "2"), _ONE),
    Scenario("rollback", (_ONE, _TWO), ("rollback",), _ONE),
    Scenario("detach", (_ONE,), ("detach",), person_decides=True, way_out=True),
    Scenario("ejected", (_ONE,), _TWO, world=World.EJECTED, person_decides=True),
    Scenario("swap", (_ONE,), _ONE, world=World.UPGRADED),
    Scenario("follow", (_ONE,), DAEMON, world=World.EDITED),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
