# SPDX-License-Identifier: GPL-2.0-only
"""Who is measured: how each one is attached, and what the kernel then says who it is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.vm import VM

HERE = Path(__file__).parent
PROFILE = HERE / "bench.yaml"
ATTACH_S = 120
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

    def is_attached(self, state: str) -> bool:
        """Whether a line of STATE is this one's."""
        kind, ops, _ = state.split()
        if not self.ops:
            return kind == "disabled"
        return kind == "enabled" and ops.startswith(self.ops)


def own() -> list[Contender]:
    return [Contender("default"), Contender("fifo"), Contender("schedctl", ops="schedctl")]


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


def attach(vm: VM, contender: Contender) -> float:
    """Seconds of the guest until the kernel says that it is attached; raises NotAttachedError."""
    assert contender.is_attached("disabled - 0") or state(vm).startswith("disabled"), "another one is left"
    before = _uptime(vm)
    if contender.name == "schedctl":
        result = vm.run("schedctl apply /root/bench.yaml 2>&1", timeout=ATTACH_S)
        if result.status:
            raise NotAttachedError(result.stdout.strip())
    elif contender.program:
        program = f"/root/{contender.program.name}"
        vm.sh(
            f"setsid {program} > /root/peer.log 2>&1 & echo $! > /root/peer.pid; n=0;"
            f" until grep -q enabled {SCX}/state || ! kill -0 $! 2> /dev/null || [ $n = 600 ];"
            " do sleep 0.1; n=$((n + 1)); done",
            timeout=ATTACH_S,
        )
    if not contender.is_attached(state(vm)):
        raise NotAttachedError(_last_words(vm, contender))
    return _uptime(vm) - before


def detach(vm: VM, contender: Contender) -> None:
    """The kernel's own scheduler runs afterwards, whatever became of the contender."""
    if contender.name == "schedctl":
        vm.run("schedctl detach", timeout=ATTACH_S)
    elif contender.program:
        vm.run("kill -INT $(cat /root/peer.pid)", timeout=ATTACH_S)
        vm.run(f"n=0; until grep -q disabled {SCX}/state || [ $n = 100 ]; do sleep 0.1; n=$((n + 1)); done")
        vm.run("kill -KILL $(cat /root/peer.pid)")
    deadline = time.monotonic() + ATTACH_S
    while not state(vm).startswith("disabled"):
        if time.monotonic() > deadline:
            raise NotAttachedError(f"{contender.name} does not leave: {state(vm)}")
        vm.run("echo S > /proc/sysrq-trigger; sleep 1")


def _uptime(vm: VM) -> float:
    return float(vm.sh("cut -d' ' -f1 /proc/uptime"))


def _last_words(vm: VM, contender: Contender) -> str:
    """What a peer printed last that looks like an error."""
    log = vm.run("cat /root/peer.log").stdout.splitlines() if contender.program else []
    print("\n".join(log[-20:]), file=sys.stderr)
    errors = [line.strip() for line in log if "rror" in line or "ailed" in line or "EXIT" in line]
    return (errors or log or ["no word"])[-1][:200]
