# SPDX-License-Identifier: GPL-2.0-only
"""The lab as fixtures: `lab` has two CPUs, `lab1` one with icount; one boot serves many tests."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from resource import RLIMIT_CPU, getrlimit, setrlimit
from time import process_time
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.cli.output import checked
from tests.lab.vm import VM, Config, Result, VMDiedError, slot
from tests.sched.programs import PROGRAMS, build

# The daemon starts where a test starts it: a boot that loads the scheduler takes twice as long.
IDLE = "lab.idle"
CONFIGS = {
    "lab": Config(smp=2, append=IDLE),
    "lab1": Config(smp=1, icount=True, append=IDLE),
}
NOT_IDLE = "rm /etc/systemd/system/schedctld.service.d/idle.conf && systemctl daemon-reload"
FIFO = "/run/warm"
WARM = Path(__file__).parent / "cli" / "warm.py"
# Each test begins like this, whatever the one before left. A scheduler of ours may still run.
CLEAN = f"""
pkill -KILL -x '{"|".join(PROGRAMS)}'
systemctl stop schedctld
systemctl reset-failed schedctld
grep -q enabled /sys/kernel/sched_ext/state || schedctl detach
systemctl stop 'schedctl-*.timer'
rm -rf /run/schedctl/selected* /run/schedctl/pending /etc/schedctl/profiles
cd /var/lib/schedctl && rm -rf trying history last_good; cd /root
rm -rf /root/profiles
rmdir /sys/fs/cgroup/quota-test 2> /dev/null
echo 'profile: desktop' > /etc/schedctl/schedctl.yaml
true
"""

# The machine may be busy with the lab: how long an example takes says nothing.
settings.register_profile(
    "schedctl",
    deadline=None,
    max_examples=int(os.environ.get("SCHEDCTL_EXAMPLES", "100")),
    suppress_health_check=[HealthCheck.too_slow],
)
# Where the code is broken on purpose: the same examples each time, and the first that fails is enough.
settings.register_profile(
    "mutants",
    settings.get_profile("schedctl"),
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    database=None,
)
settings.load_profile("mutants" if "MUTANT_UNDER_TEST" in os.environ else "schedctl")


def pytest_runtest_setup() -> None:
    """A change that makes the code go on forever ends after so much CPU time, however busy the machine is."""
    if "__mutmut_" in os.environ.get("MUTANT_UNDER_TEST", ""):
        limit_s = int(process_time()) + int(os.environ["SCHEDCTL_MUTANT_CPU_S"])
        # not the hard limit: not every root may raise it again for the next test
        setrlimit(RLIMIT_CPU, (limit_s, getrlimit(RLIMIT_CPU)[1]))


class Guest:
    """A machine of the lab with the load programs and the project in it."""

    def __init__(self, vm: VM) -> None:
        self.vm = vm
        for name in PROGRAMS:
            vm.put(f"/root/{name}", build(name))
        vm.put("/root/warm.py", WARM)
        vm.sh(f"mkfifo {FIFO}.in {FIFO}.out; setsid python3 warm.py {FIFO}.in {FIFO}.out > {FIFO}.log 2>&1 &")

    def run(self, command: str, timeout: float = 120) -> Result:
        return self.vm.run(command, timeout)

    def sh(self, command: str, timeout: float = 120) -> str:
        """stdout of a line of shell that must succeed."""
        return self.vm.run(command, timeout).ok()

    def apply(self, text: str) -> dict[str, Any]:
        """Apply a profile from its text; the name in the text does not matter."""
        self.vm.put("/root/profile", text)
        document = self.schedctl("apply", "-", stdin="/root/profile")
        assert document["exit"] == 0, document["problems"]
        if "attach" in document["plan"]["actions"]:
            self.sh("systemctl stop 'schedctl-*.timer'")  # what it starts would run beside what is measured
        return document

    def schedctl(self, *words: str, stdin: str = "/dev/null") -> dict[str, Any]:
        """The JSON of any verb, whatever its exit code; it passes the verb's schema."""
        request = shlex.quote(json.dumps({"words": [*words, "--json"], "stdin": stdin}))
        answer, code = self.sh(f"echo {request} > {FIFO}.in; cat {FIFO}.out").splitlines()
        document = checked(words[0], answer)
        assert document["exit"] == int(code)
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
            self._guest.sh(NOT_IDLE)
            self._config = config
        try:
            self._guest.run(CLEAN)
        except VMDiedError:
            self.stop()
            raise
        return self._guest

    @contextmanager
    def one_boot(self, config: Config, append: str) -> Iterator[Guest]:
        """A fresh machine, for what only a boot can show; the worker's other one ends first."""
        self.stop()
        with slot(), VM(replace(config, append=append)) as vm:
            yield Guest(vm)

    def stop(self) -> None:
        self._guest = None
        self._stack.close()


@pytest.fixture(scope="session")
def lab_machines() -> Iterator[Lab]:
    machines = Lab()
    yield machines
    machines.stop()


@pytest.fixture
def no_machine(lab_machines: Lab) -> Lab:
    """The worker's machine has ended: a test may start one by other means."""
    lab_machines.stop()
    return lab_machines


@pytest.fixture
def lab(lab_machines: Lab) -> Guest:
    """Two CPUs: decisions, counts and order mean something, latencies do not."""
    return lab_machines.guest(CONFIGS["lab"])


@pytest.fixture
def lab1(lab_machines: Lab) -> Guest:
    """One CPU, guest time follows executed instructions: times can be compared within one boot."""
    return lab_machines.guest(CONFIGS["lab1"])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests of one machine go to one worker; xdist reads the groups before `modifyitems` of a conftest."""
    fixtures = getattr(item, "fixturenames", ())
    group = next((name for name in (*CONFIGS, "no_machine") if name in fixtures), None)
    if group:
        item.add_marker(pytest.mark.lab)
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first."""
    items.sort(key=lambda item: item.get_closest_marker("lab") is None)
