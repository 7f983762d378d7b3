# SPDX-License-Identifier: GPL-2.0-only
"""The rounds: contenders in turn, each with every workload, all in one boot."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import budgets, contenders, cost, workloads
from tests.bench import compile as compiler
from tests.bench.contenders import Contender, NotAttachedError
from tests.bench.raw import RAW, late_us, save
from tests.bench.spent import US
from tests.bench.workloads import RefusedError, Workload
from tests.conftest import Guest
from tests.lab.vm import VM, Config, VMDiedError, bootstrap, slot
from tests.sched.programs import ROOT, build

ROUNDS = 5
# Whose throughput is compared with what was aimed at.
REPEATED = ("default", US)
PART = ROOT / "build" / "bench.json"
# Times of one CPU can be compared; but only where there could be another one does the kernel have a CPU
# chosen at each wake-up, and do threads wait in the queues that CPUs share.
CONFIG = Config(smp=1, icount=True, append="lab.idle", possible=2)
# A contender that could not be attached twice is not tried again; another's scheduler that takes long comes
# less often.
MAX_FAILURES = 2
SLOW_S = 60
SLOW_ROUNDS = 2


class Progress:
    """What a person sees meanwhile, on standard error."""

    def __init__(self, steps: int) -> None:
        self._began = time.monotonic()
        self._steps = steps
        self._done = 0

    def step(self, text: str) -> None:
        self._done += 1
        self.say(f"{100 * self._done // max(1, self._steps):3d} %  {text}")

    def minutes(self) -> int:
        return round((time.monotonic() - self._began) / 60)

    def say(self, text: str) -> None:
        print(f"bench: {time.monotonic() - self._began:5.0f} s  {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Session:
    """What one contender does while it is attached once."""

    contender: Contender
    workloads: Sequence[Workload]
    seed: int  # the round's number
    is_first: bool  # of the contender in this round


def sessions(able: Sequence[Contender], chosen: Sequence[Workload], seed: int) -> Iterator[Session]:
    """One round: all contenders, then the REPEATED ones as often as a workload wants samples.

    Forwards and backwards in turn, in the next round the other way round: nobody always follows the same one.
    """
    for nr in range(max((w.samples for w in chosen), default=1)):
        for contender in able if (seed + nr) % 2 else able[::-1]:
            if nr and contender.name not in REPEATED:
                continue
            its_own = [w for w in chosen if nr < w.samples and (w.kind == "wake" or not contender.only_wake)]
            if its_own or (not nr and contender.name == US):  # the budgets are measured under ours
                yield Session(contender, its_own, seed, nr == 0)


class Bench:
    """One boot. `raw` is what will be stored; it grows sample by sample."""

    def __init__(self, vm: VM, raw: dict[str, Any], progress: Progress, costs: bool, overruns: bool) -> None:
        self.vm = vm
        self.guest = Guest(vm)
        self.raw = raw
        self.progress = progress
        self._costs = costs
        self._overruns = budgets.OVERRUNS if overruns else ()
        self._failures: dict[str, int] = {}
        self._slow: set[str] = set()

    def prepare(self) -> None:
        for name in workloads.PROGRAMS:
            self.vm.put(f"/root/{name}", build(name, workloads.LOAD))
        self.vm.put("/root/compiled.c", compiler.source())
        self.guest.status()  # waits until the guest's Python has started
        self.vm.sh(workloads.WARM_UP, timeout=300)
        self.raw["kernel"] = self.vm.sh("uname -r").strip()
        assert self.vm.sh("cat /sys/devices/system/cpu/online").strip() == "0"
        cpus = self.vm.sh("cat /sys/devices/system/cpu/possible").strip()
        assert cpus == f"0-{CONFIG.possible - 1}", cpus

    def session(self, session: Session) -> None:
        contender, seed = session.contender, session.seed
        if self._failures.get(contender.name, 0) >= MAX_FAILURES:
            return
        if contender.name in self._slow and seed > SLOW_ROUNDS:
            return
        began = time.monotonic()
        try:
            with self._attached(contender):
                self.progress.say(f"round {seed}: {contender.name} is attached")
                if contender.program and time.monotonic() - began > SLOW_S:
                    self._slow.add(contender.name)
                self._all_of(session)
        except NotAttachedError as error:
            failed = MAX_FAILURES if time.monotonic() - began > SLOW_S else 1
            self._failures[contender.name] = self._failures.get(contender.name, 0) + failed
            self._refuse(contender, "attach", seed, str(error))

    def _all_of(self, session: Session) -> None:
        contender, seed = session.contender, session.seed
        for workload in session.workloads:
            self._sample(contender, workload, seed)
        if not session.is_first:
            return
        if self._costs and contender.name in cost.MEASURED and seed <= cost.ROUNDS:
            for workload in session.workloads:
                if workload.name in cost.WORKLOADS:
                    self._cost(contender, workload, seed)
        for overrun in self._overruns if contender.name == US else ():
            self._budget(contender, overrun, seed)

    @contextmanager
    def _attached(self, contender: Contender) -> Iterator[None]:
        try:
            contenders.attach(self.guest, contender)
            yield
        finally:
            if self.vm.alive():
                contenders.detach(self.guest, contender)

    def _sample(self, contender: Contender, workload: Workload, seed: int) -> None:
        try:
            result = workloads.sample(self.vm, contender, workload, seed)
        except RefusedError as error:
            self._refuse(contender, workload.name, seed, str(error))
            return
        self.raw["samples"].append(
            {"contender": contender.name, "workload": workload.name, "round": seed, **result}
        )
        self.progress.step(f"{contender.name} {workload.name}: {_shown(result)}")

    def _cost(self, contender: Contender, workload: Workload, seed: int) -> None:
        try:
            result = cost.measure(self.vm, contender, workload, seed)
        except RefusedError as error:
            self._refuse(contender, f"cost of {workload.name}", seed, str(error))
            return
        result.pop("late_ns", None)
        self.raw["costs"].append({"contender": contender.name, "round": seed, **result})
        total = sum(callback["ns"] for callback in result["callbacks"].values())
        self.progress.say(f"{contender.name} {workload.name}: {total / 1e6:.1f} ms in callbacks")

    def _budget(self, contender: Contender, overrun: str, seed: int) -> None:
        try:
            result = budgets.measure(self.guest, overrun)
        except AssertionError as error:
            self._refuse(contender, f"overrun: {overrun}", seed, str(error).splitlines()[0])
            return
        self.raw["budgets"].append({"round": seed, **result})
        used, misses = budgets.used(result), result["misses"]
        self.progress.say(
            f"{contender.name} {overrun}: {used:.1f} % of the budget, {misses} misses beside it"
        )

    def _refuse(self, contender: Contender, what: str, seed: int, reason: str) -> None:
        self.progress.say(f"REFUSED {contender.name} {what}: {reason}")
        self.raw["refused"].append(
            {"contender": contender.name, "what": what, "round": seed, "reason": reason}
        )


def _shown(result: dict[str, Any]) -> str:
    if "late_ns" in result:
        return ", ".join(f"{metric} {us:.1f} us" for metric, us in late_us(result).items())
    return f"{result['elapsed_ns'] / 1e9:.3f} s"


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _arguments(description: str | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=description)
    parser.add_argument("--contenders", type=_words, default=[], metavar="A,B", help="of these only")
    parser.add_argument(
        "--workloads",
        type=_words,
        default=[],
        metavar="A,B",
        help="kinds (wake, hackbench, spawn, compile, budget) or names",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"({ROUNDS})")
    parser.add_argument("--no-cost", action="store_true", help="without the cost of each callback")
    parser.add_argument("--out", type=Path, metavar="FILE", help="see above")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds must be 1 or more")
    is_whole = not (args.contenders or args.workloads or args.no_cost or args.rounds < ROUNDS)
    args.out = args.out or (RAW if is_whole else PART)
    return args


def _contenders(wanted: Sequence[str]) -> list[Contender]:
    found = contenders.own()
    others = [name for name in wanted if name.startswith("scx_")]
    if not wanted or others:
        found += contenders.peers(others)
    unknown = set(wanted) - {c.name for c in found}
    if unknown:
        raise SystemExit(f"tests.bench: no contender {', '.join(sorted(unknown))}")
    return [c for c in found if not wanted or c.name in wanted]


def _git(*words: str) -> str:
    command = ["git", "-c", f"safe.directory={ROOT}", *words]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def _head(found: Sequence[Contender], rounds: int) -> dict[str, Any]:
    """The raw result before anything is measured."""
    _, qemu = bootstrap(CONFIG.kernel)
    version = ["chroot", str(qemu), "qemu-system-x86_64", "--version"]
    shown = subprocess.run(version, check=True, stdout=subprocess.PIPE, text=True).stdout
    names = {c.name for c in found}
    left_out = [c for c in contenders.known() if c.name not in names]
    changed = "+" if _git("status", "--porcelain", "bpf", "schedctl") else ""
    return {
        "commit": _git("rev-parse", "--short", "HEAD") + changed,
        "kernel": "",
        "qemu": shown.splitlines()[0].removeprefix("QEMU emulator version "),
        "compiler": f"gcc {compiler.version()}",
        "rounds": rounds,
        "possible": CONFIG.possible,
        "minutes": 0,
        "throughput_samples": workloads.THROUGHPUT_SAMPLES,
        "order": "forwards and backwards in turn",
        "wake_ups": workloads.WAKE_UPS,
        "spawns": workloads.SPAWNS,
        "compiles": workloads.COMPILES,
        "contenders": [
            {"name": c.name, "version": c.version, "missing": c.missing} for c in (*found, *left_out)
        ],
        "samples": [],
        "costs": [],
        "budgets": [],
        "refused": [],
    }


def main(description: str | None) -> int:
    args = _arguments(description)
    chosen = workloads.select(args.workloads)
    overruns = not args.workloads or budgets.KIND in args.workloads
    if not chosen and not overruns:
        raise SystemExit("tests.bench: no such workload")
    found = _contenders(args.contenders)
    able = [c for c in found if not c.missing]
    raw = _head(found, args.rounds)
    todo = [s for seed in range(1, args.rounds + 1) for s in sessions(able, chosen, seed)]
    progress = Progress(sum(len(session.workloads) for session in todo))
    copies = [*(c.program for c in able if c.program), *compiler.compiler()]
    try:
        with slot(), VM(CONFIG, copies) as vm:
            bench = Bench(vm, raw, progress, not args.no_cost, overruns)
            progress.say("booted")
            bench.prepare()
            for session in todo:
                bench.session(session)
                raw["minutes"] = progress.minutes()
                save(raw, args.out)
    except VMDiedError as error:
        progress.say(f"the machine died: {error}")
        progress.say(f"what was measured until then is in {args.out}")
        return 1
    progress.say(f"{len(raw['samples'])} samples in {args.out}")
    progress.say(f"{len(raw['refused'])} samples or contenders refused, named in the results")
    return 0
