# SPDX-License-Identifier: GPL-2.0-only
"""Who is measured: how each one is attached, and what the kernel then says who it is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.conftest import Guest
from tests.lab.vm import VM, VMTimeoutError

HERE = Path(__file__).parent
# Ours, by the profile that it runs: the second one's measured class has a budget.
PROFILES = {"schedctl": HERE / "bench.yaml", "schedctl-budget": HERE / "bench-budget.yaml"}
# Of the host. The verifier of an emulated kernel needs minutes for the largest of the others.
ATTACH_S = 300
NOT_ASKED = "left out when this was measured"
SCX = "/sys/kernel/sched_ext"
# "enabled NAME SEQUENCE", or "disabled - SEQUENCE"
STATE = f"echo $(cat {SCX}/state) $(cat {SCX}/root/ops 2>/dev/null || echo -) $(cat {SCX}/enable_seq)"


class NotAttachedError(Exception):
    """The contender did not attach, or did not stay; the message says how that showed."""


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    version: str = ""
    program: Path | None = None
    ops: str = ""  # how root/ops begins while it is attached; "" for the kernel's own scheduler
    missing: str = ""  # why it cannot be measured

    @property
    def sched_class(self) -> str:
        """The scheduling class of the measured thread."""
        return "fifo" if self.name == "fifo" else "other"

    @property
    def only_wake(self) -> bool:
        """SCHED_FIFO is a class for the measured thread, and a budget is its class's."""
        return self.name in ("fifo", "schedctl-budget")

    def is_attached(self, state: str) -> bool:
        """Whether a line of STATE is this one's."""
        kind, ops, _ = state.split()
        if not self.ops:
            return kind == "disabled"
        return kind == "enabled" and ops.startswith(self.ops)


def own() -> list[Contender]:
    return [Contender("default"), Contender("fifo"), *(Contender(name, ops="schedctl") for name in PROFILES)]


def known() -> list[Contender]:
    """Everyone, built or not: who is not measured has to be named."""
    lines = [line.split() for line in (HERE / "peers.txt").read_text().splitlines()]
    named = [words for words in lines if words and not words[0].startswith("#")]
    own_named = [replace(c, missing=NOT_ASKED) for c in own()]
    return own_named + [Contender(name, version.strip("-"), missing=NOT_ASKED) for name, _, version in named]


def peers(names: Sequence[str]) -> list[Contender]:
    """The others, built first where they are not in the cache; all of them where no name is given."""
    command = [str(HERE / "peers"), *names]
    found = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            name, version, path, *error = line.split(maxsplit=3)
            ops = name.removeprefix("scx_")
            if path == "-":
                missing = "not built: " + "".join(error).strip()
                found.append(Contender(name, version, None, ops, missing))
            else:
                found.append(Contender(name, version, Path(path), ops))
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return found


def state(vm: VM) -> str:
    return vm.sh(STATE).strip()


def attach(guest: Guest, contender: Contender) -> None:
    """Until the kernel says that it is attached; raises NotAttachedError."""
    vm = guest.vm
    if not state(vm).startswith("disabled"):
        raise NotAttachedError(f"another one is left: {state(vm)}")
    if contender.name in PROFILES:
        try:
            guest.apply(PROFILES[contender.name].read_text())
        except AssertionError as error:
            raise NotAttachedError(str(error)) from None
    elif contender.program:
        program = f"/root/{contender.program.name}"
        try:
            vm.sh(
                f"setsid {program} > /root/peer.log 2>&1 & echo $! > /root/peer.pid;"
                f" until grep -q enabled {SCX}/state || ! kill -0 $! 2> /dev/null; do sleep 0.2; done",
                timeout=ATTACH_S,
            )
        except VMTimeoutError:
            raise NotAttachedError(f"not within {ATTACH_S} s of the host") from None
    if not contender.is_attached(state(vm)):
        raise NotAttachedError(_last_words(vm, contender))


def detach(guest: Guest, contender: Contender) -> None:
    """The kernel's own scheduler runs afterwards, whatever became of the contender."""
    vm = guest.vm
    if contender.name in PROFILES:
        guest.schedctl("detach")
    elif contender.program:
        vm.run("kill -INT $(cat /root/peer.pid)", timeout=ATTACH_S)
        vm.run(f"n=0; until grep -q disabled {SCX}/state || [ $n = 100 ]; do sleep 0.1; n=$((n + 1)); done")
        vm.run("kill -KILL $(cat /root/peer.pid)")
    deadline = time.monotonic() + ATTACH_S
    while not state(vm).startswith("disabled"):
        if time.monotonic() > deadline:
            raise NotAttachedError(f"{contender.name} does not leave: {state(vm)}")
        vm.run("echo S > /proc/sysrq-trigger; sleep 1")


def _last_words(vm: VM, contender: Contender) -> str:
    """What a peer printed last that looks like an error."""
    log = vm.run("cat /root/peer.log").stdout.splitlines() if contender.program else []
    print("\n".join(log[-20:]), file=sys.stderr)
    for word in ("failed to load", "rror", "ailed", "EXIT", ""):
        for line in log:
            if word in line:
                return line.strip()[:200]
    return "no word of it"
