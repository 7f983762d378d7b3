# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: `python3 -m tests.endure.guest PART ARGUMENT...`. Each line that it prints is JSON."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from unittest import mock

from schedctl.image.abi import encode
from schedctl.kernel import swap
from schedctl.kernel.pins import Pins
from schedctl.kernel.protocol import NR_SLOTS, SwapReport
from schedctl.kernel.real import RealKernel
from schedctl.observe import Live, Observation, observe
from schedctl.paths import bpf_object
from schedctl.plan import Action
from schedctl.profile import load_profile_bytes
from schedctl.reconcile import desired_image, reconcile
from tests.endure import samples
from tests.endure.profiles import FILE, LEVELS, POLICIES, PROBE, edited

TASK_CONTEXTS = "/sys/fs/bpf/schedctl/maps/task_ctxs"
MANY = 1_000_000
FOREVER = "100000"
START_S = 1.0
# The load's before and after each swap.
WORK_S = 0.3
# Beside the load of the same tier it is to change the policy, not to wait.
FLIPPER_NICE = -15
# Two spinners of the fair tier, one with a budget, and forks with exec and exit.
SPINNERS = ("hog:2:-1:0", "budget:1:-1:0")


def say(**document: Any) -> None:
    print(json.dumps(document), flush=True)


class Probe:
    """The load program `policies` under the name that has a class of its own."""

    def __init__(self, period_us: int, count: int = MANY) -> None:
        self._process = subprocess.Popen(
            ["/root/policies", PROBE, str(count), str(period_us), TASK_CONTEXTS],
            stdout=subprocess.PIPE,
            text=True,
        )

    def next(self) -> tuple[int, int, int]:
        """Generation, level and time of the first wake-up under a policy, in the policies' order."""
        assert self._process.stdout is not None
        generation, level, at_ns = map(int, self._process.stdout.readline().split())
        return generation, level, at_ns

    def end(self) -> dict[str, int]:
        self._process.terminate()
        return self.result()

    def result(self) -> dict[str, int]:
        """Once it has slept often enough, or was ended."""
        output, _ = self._process.communicate()
        assert self._process.returncode == 0
        *turns, last = output.splitlines()
        wakes, p50_ns, p99_ns, longest_ns = map(int, last.split())
        return {
            "policies": len(turns),
            "wakes": wakes,
            "p50_ns": p50_ns,
            "p99_ns": p99_ns,
            "longest_ns": longest_ns,
        }


class Load:
    """Spinners, which die with their parent, and forks."""

    def __init__(self, *spinners: str, forks: bool = True) -> None:
        commands = [["/root/share", FOREVER, *spinners]] if spinners else []
        commands += [["/root/forks", FOREVER]] if forks else []
        self._running = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, process_group=0) for command in commands
        ]
        time.sleep(START_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGKILL)
        for process in self._running:
            process.wait()

    def rest(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running:
            os.killpg(process.pid, number)


# --- the daemon follows edits ---------------------------------------------------------------------


def edit(level: int) -> int:
    """As an editor does; the time of CLOCK_MONOTONIC just before the file has its new content."""
    new = Path(f"{FILE}.new")
    new.write_text(edited(level))
    at_ns = time.monotonic_ns()
    new.replace(FILE)
    return at_ns


def edits(count: int, pause_ms: int, spinners: int, period_us: int, *looks: int) -> None:
    """COUNT edits, each once the one before is in force; samples after those of the numbers `looks`."""
    pid = samples.daemon_pid()
    probe = Probe(period_us)
    hogs = (f"hog:{spinners}:-1:0",) if spinners else ()
    with Load(*hogs, forks=False):
        generation, _, _ = probe.next()
        took_ns, cpu_before_ns = [], samples.cpu_ns(pid)
        for number in range(1, count + 1):
            at_ns = edit(LEVELS[number % 2])
            now, level, seen_ns = probe.next()
            assert (now, level) == (generation + 1, LEVELS[number % 2]), (number, generation, now, level)
            generation = now
            took_ns.append(seen_ns - at_ns)
            if number in looks:
                say(after=number, **samples.settled(pid))
            time.sleep(pause_ms / 1000)
        cpu = samples.cpu_ns(pid) - cpu_before_ns
    probe.end()
    say(took_ns=took_ns, cpu_ns=cpu)


# --- flips ----------------------------------------------------------------------------------------


def flips(count: int, period_us: int) -> None:
    """Two policies in turn, by the calls by which an apply changes the kernel, in its order.

    What it reads before and afterwards is left out: two thirds of its time here.
    """
    images = [desired_image(load_profile_bytes(text.encode(), "flips")) for text in POLICIES]
    kernel = RealKernel()
    live = observe(kernel).live
    assert live is not None
    assert live.image == images[0]
    with Load(*SPINNERS):
        probe = Probe(period_us)
        os.setpriority(os.PRIO_PROCESS, 0, FLIPPER_NICE)
        time.sleep(START_S)
        times_ns = [time.monotonic_ns()]
        for number in range(1, count + 1):
            image, slot = images[number % 2], (live.slot + number) % NR_SLOTS
            kernel.write_policy(slot, encode(image, slot, live.generation + number, number))
            kernel.clear_class_stats(slot, len(image.classes))
            kernel.flip(slot)
            times_ns.append(time.monotonic_ns())
        assert observe(kernel).image == images[count % 2]
        time.sleep(START_S)
        took_ns = [end - begin for begin, end in itertools.pairwise(times_ns)]
        say(took_ns=took_ns, **probe.end())


def quiet(wakes: int, period_us: int) -> None:
    """The same load and probe, and nobody flips."""
    with Load(*SPINNERS):
        say(**Probe(period_us, wakes).result())


# --- swaps ----------------------------------------------------------------------------------------


class Swapped(RealKernel):
    """The load rests while the new object is verified, which takes the emulator most of the time."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self._load = load
        self.report: SwapReport | None = None

    def swap(self, policy: bytes) -> SwapReport:
        detach = swap.detach_link

        def begin(pins: Pins) -> None:
            self._load.go_on()
            time.sleep(WORK_S)
            detach(pins)

        self._load.rest()
        with mock.patch.object(swap, "detach_link", begin):
            self.report = super().swap(policy)
        return self.report


def swaps(count: int, period_us: int, *files: str) -> None:
    """The objects FILES in turn; the last of them is the one that runs."""
    live = observe(RealKernel()).live
    assert live is not None
    assert live.image is not None
    say(**samples.left())
    with Load(*SPINNERS) as load:
        kernel, probe = Swapped(load), Probe(period_us)
        for number in range(1, count + 1):
            install(files[(number - 1) % len(files)])
            before = observe(kernel)
            outcome = reconcile(kernel, live.image)
            assert outcome.plan.actions == (Action.SWAP,)
            assert kernel.report is not None
            time.sleep(WORK_S)
            say(
                gap_ns=kernel.report.gap_ns,
                longest_fork_ns=kernel.report.longest_fork_ns,
                bypass_ns=kernel.report.bypass_ns,
                wrong=lost(before, observe(kernel)) + list(kernel.report.dropped),
            )
        say(probe=probe.end())
    say(**samples.left())


def install(file: str) -> None:
    """As a package does: the file takes its place at once."""
    path = bpf_object()
    path.with_suffix(".new").write_bytes(Path(file).read_bytes())
    path.with_suffix(".new").replace(path)


def lost(before: Observation, after: Observation) -> list[str]:
    """What a swap should have kept, and the only number that it should have raised."""
    if before.live is None or after.live is None:
        return ["no scheduler of ours runs"]
    wrong = []
    if after.enable_seq != before.enable_seq + 1:
        wrong.append(f"enable_seq {before.enable_seq} -> {after.enable_seq}")
    if after.generation != before.generation:
        wrong.append(f"generation {before.generation} -> {after.generation}")
    was, now = figures(before.live), figures(after.live)
    return wrong + [f"{name} {was[name]} -> {now[name]}" for name in was if now[name] <= was[name]]


def figures(live: Live) -> dict[str, int]:
    """Counts of the classes that rise while the load runs."""
    probe, budget = live.classes[PROBE], live.classes["budget"]
    return {"wake-ups": probe.nr_wakeups, "throttled": budget.nr_throttled, "runs": budget.nr_runs}


PARTS: dict[str, Callable[..., None]] = {"edits": edits, "flips": flips, "quiet": quiet, "swaps": swaps}

if __name__ == "__main__":
    part, *words = sys.argv[1:]
    PARTS[part](*(int(word) if word.isdecimal() else word for word in words))
