# SPDX-License-Identifier: GPL-2.0-only
"""The lab as fixtures: `lab` has two CPUs, `lab1` one with icount; one boot serves many tests."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.vm import VM, Config, Result, VMDiedError, slot
from tests.sched.programs import PROGRAMS, build

CONFIGS = {"lab": Config(smp=2), "lab1": Config(smp=1, icount=True)}
# Each test begins like this, whatever the one before left.
CLEAN = f"""
pkill -KILL -x '{"|".join(PROGRAMS)}'
systemctl stop schedctld
schedctl detach
rm -rf /run/schedctl/selected* /etc/schedctl/profiles
rm -rf /root/profiles
echo 'profile: desktop' > /etc/schedctl/schedctl.yaml
true
"""


class Guest:
    """A machine of the lab with the load programs and the project in it."""

    def __init__(self, vm: VM) -> None:
        self.vm = vm
        for name in PROGRAMS:
            vm.put(f"/root/{name}", build(name))

    def run(self, command: str, timeout: float = 120) -> Result:
        return self.vm.run(command, timeout)

    def sh(self, command: str, timeout: float = 120) -> str:
        """stdout of a line of shell that must succeed."""
        return self.vm.run(command, timeout).ok()

    def apply(self, text: str, name: str = "lab") -> dict[str, Any]:
        """Apply a profile from its text; the name in the text does not matter."""
        self.vm.put(f"/root/{name}.profile", text)
        result = self.run(f"schedctl apply --json - < /root/{name}.profile")
        document: dict[str, Any] = json.loads(result.stdout)
        assert result.status == 0, document["problems"]
        return document

    def schedctl(self, *words: str) -> dict[str, Any]:
        """The JSON of any verb, whatever its exit code."""
        document: dict[str, Any] = json.loads(self.run(f"schedctl {shlex.join(words)} --json").stdout)
        return document

    def status(self) -> dict[str, Any]:
        return self.schedctl("status")


class Lab:
    """At most one machine per worker: another configuration ends the former."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._guest: Guest | None = None
        self._config: Config | None = None

    def guest(self, config: Config) -> Guest:
        if self._guest is None or self._config != config or not self._guest.vm.alive():
            self.stop()
            self._stack.enter_context(slot())
            self._guest = Guest(self._stack.enter_context(VM(config)))
            self._config = config
        try:
            self._guest.run(CLEAN)
        except VMDiedError:
            self.stop()
            raise
        return self._guest

    def stop(self) -> None:
        self._guest = None
        self._stack.close()


@pytest.fixture(scope="session")
def lab_machines() -> Iterator[Lab]:
    machines = Lab()
    yield machines
    machines.stop()


@pytest.fixture
def lab(lab_machines: Lab) -> Guest:
    """Two CPUs: decisions, counts and order mean something, latencies do not."""
    return lab_machines.guest(CONFIGS["lab"])


@pytest.fixture
def lab1(lab_machines: Lab) -> Guest:
    """One CPU, guest time follows executed instructions: times can be compared within one boot."""
    return lab_machines.guest(CONFIGS["lab1"])


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one machine go to one worker, and before everything that needs none."""
    for item in items:
        machine = next((name for name in CONFIGS if name in getattr(item, "fixturenames", ())), None)
        if machine:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.xdist_group(machine))
        elif item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.xdist_group("own-boot"))
    items.sort(key=lambda item: item.get_closest_marker("lab") is None)
