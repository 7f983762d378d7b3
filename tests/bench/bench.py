# SPDX-License-Identifier: GPL-2.0-only
"""The rounds: contenders in turn, each with every workload, in one boot, or more rounds in another."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import compile as compiler
from tests.bench import contenders, cost, workloads
from tests.bench.contenders import Contender, NotAttachedError
from tests.bench.raw import RAW, late_us, load, save
from tests.bench.workloads import RefusedError, Workload
from tests.lab.vm import VM, Config, VMDiedError, bootstrap, slot
from tests.sched.programs import ROOT, build

ROUNDS = 5
PART = ROOT / "build" / "bench.json"
CONFIG = Config(smp=1, icount=True, append="lab.idle")
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

    def say(self, text: str) -> None:
        print(f"bench: {time.monotonic() - self._began:5.0f} s  {text}", file=sys.stderr, flush=True)


class Bench:
    """One boot. `raw` is what will be stored; it grows sample by sample."""

    def __init__(self, vm: VM, raw: dict[str, Any], progress: Progress) -> None:
        self.vm = vm
        self.raw = raw
        self.progress = progress
        self._failures: dict[str, int] = {}
        self._slow: set[str] = set()

    def prepare(self) -> None:
        for name in workloads.PROGRAMS:
            self.vm.put(f"/root/{name}", build(name, workloads.LOAD))
        for profile in contenders.PROFILES.values():
            self.vm.put(f"/root/{profile.name}", profile)
        self.vm.put("/root/compiled.c", compiler.source())
        self.vm.sh(workloads.WARM_UP, timeout=300)
        kernel = self.vm.sh("uname -r").strip()
        if self.raw["kernel"] not in ("", kernel):
            raise SystemExit(f"tests/bench/run: the stored rounds are of Linux {self.raw['kernel']}")
        self.raw["kernel"] = kernel

    def session(self, contender: Contender, chosen: Sequence[Workload], seed: int, costs: bool) -> None:
        """All of one contender in one round."""
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
                for workload in chosen:
                    self._sample(contender, workload, seed)
                for workload in chosen if costs else ():
                    if workload.name in cost.WORKLOADS:
                        self._cost(contender, workload, seed)
        except NotAttachedError as error:
            failed = MAX_FAILURES if time.monotonic() - began > SLOW_S else 1
            self._failures[contender.name] = self._failures.get(contender.name, 0) + failed
            self._refuse(contender, "attach", seed, str(error))

    @contextmanager
    def _attached(self, contender: Contender) -> Iterator[None]:
        try:
            contenders.attach(self.vm, contender)
            yield
        finally:
            if self.vm.alive():
                contenders.detach(self.vm, contender)

    def _sample(self, contender: Contender, workload: Workload, seed: int) -> None:
        if contender.only_wake and workload.kind != "wake":
            return
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
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=description)
    parser.add_argument("--contenders", type=_words, default=[], metavar="A,B", help="of these only")
    parser.add_argument(
        "--workloads", type=_words, default=[], metavar="A,B", help="kinds (wake, hackbench, ...) or names"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help=f"({ROUNDS})")
    parser.add_argument(
        "--add", action="store_true", help="to the stored rounds, in another boot; of the same scheduler"
    )
    parser.add_argument("--no-cost", action="store_true", help="without the cost of each callback")
    parser.add_argument("--out", type=Path, metavar="FILE", help="see above")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("--rounds must be 1 or more")
    is_whole = not (args.contenders or args.workloads or args.no_cost or args.rounds < ROUNDS)
    args.out = args.out or (RAW if is_whole or args.add else PART)
    return args


def _contenders(wanted: Sequence[str]) -> list[Contender]:
    found = contenders.own()
    others = [name for name in wanted if name.startswith("scx_")]
    if not wanted or others:
        found += contenders.peers(others)
    unknown = set(wanted) - {c.name for c in found}
    if unknown:
        raise SystemExit(f"tests/bench/run: no contender {', '.join(sorted(unknown))}")
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
        "boots": 1,
        "wake_ups": workloads.WAKE_UPS,
        "spawns": workloads.SPAWNS,
        "compiles": workloads.COMPILES,
        "contenders": [
            {"name": c.name, "version": c.version, "missing": c.missing} for c in (*found, *left_out)
        ],
        "samples": [],
        "costs": [],
        "refused": [],
    }


def _continued(path: Path, rounds: int) -> dict[str, Any]:
    """The stored results, with room for more rounds of what was measured."""
    raw = load(path)
    measured = raw["commit"].removesuffix("+")
    if raw["commit"] != measured or _git(
        "diff", "--stat", measured, "--", "bpf", "schedctl", "tests/bench/load"
    ):
        raise SystemExit(f"tests/bench/run: {path} is of another scheduler than this one: {raw['commit']}")
    done = max(sample["round"] for sample in raw["samples"])
    return raw | {"rounds": done + rounds, "boots": raw["boots"] + 1}


def main(description: str | None) -> int:
    args = _arguments(description)
    chosen = workloads.select(args.workloads)
    if not chosen:
        raise SystemExit("tests/bench/run: no such workload")
    found = _contenders(args.contenders)
    able = [c for c in found if not c.missing]
    raw = _continued(args.out, args.rounds) if args.add else _head(found, args.rounds)
    seeds = range(raw["rounds"] - args.rounds + 1, raw["rounds"] + 1)
    samples = sum(w.kind == "wake" or not c.only_wake for c in able for w in chosen)
    progress = Progress(samples * args.rounds)
    copies = [*(c.program for c in able if c.program), *compiler.compiler()]
    try:
        with slot(), VM(CONFIG, copies) as vm:
            bench = Bench(vm, raw, progress)
            progress.say("booted")
            bench.prepare()
            for seed in seeds:
                for contender in able:
                    costs = not args.no_cost and contender.name in cost.MEASURED and seed <= cost.ROUNDS
                    bench.session(contender, chosen, seed, costs)
                    save(raw, args.out)
    except VMDiedError as error:
        progress.say(f"the machine died: {error}")
        progress.say(f"what was measured until then is in {args.out}")
        return 1
    progress.say(f"{len(raw['samples'])} samples in {args.out}")
    progress.say(f"{len(raw['refused'])} samples or contenders refused, named in the results")
    return 0
