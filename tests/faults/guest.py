# SPDX-License-Identifier: GPL-2.0-only
"""Faults on a real kernel. Runs in the guest, as root, where no daemon runs.

`guest.py SHARE NAME...`: each scenario is traced once, then every SHARE-th fault strikes it (0: none).
Prints one JSON object per line: {"scenario", "steps"} first, then one for each fault.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from schedctl.cli.main import main
from schedctl.daemon.files import Followed
from schedctl.daemon.loop import Daemon
from schedctl.daemon.triggers import Trigger, TriggerQueue
from schedctl.kernel.pins import Pins
from schedctl.kernel.real import RealKernel
from schedctl.observe import Owner, observe
from schedctl.paths import bpf_object
from tests.faults import campaign, ptrace
from tests.faults.faults import Fault, Injector, Kind, errors
from tests.faults.judge import Running, Wrong, must
from tests.faults.objects import objects
from tests.faults.scenarios import BY_NAME, DAEMON, EDITED, FILE, PROFILES, SILENT, Command, Scenario, World
from tests.faults.steps import NUMBERS, Namer, Step, counted, map_name

ETC = Path("/etc/schedctl")
# By the names of their copies.
FOLDERS = {"etc": ETC, "run": Path("/run/schedctl"), "state": Path("/var/lib/schedctl")}
SAVED = Path("/root/faults-saved")
TOOLS = Path("/root/faults-tools")
PINS = "/sys/fs/bpf"
SETTLE_S = 20.0
FREED_S = 10.0


class Real:
    """This machine. What a clean run leaves of the kernel's objects is what any run may leave."""

    def __init__(self) -> None:
        self.kernel = RealKernel()
        self._scenario: Scenario | None = None
        self._old: Running | None = None
        self._allowed: list[tuple[Counter[str], list[str]]] = []
        self.attached_at_cut = False
        self._object = bpf_object().read_bytes()
        self.ejected: Running | None = None
        TOOLS.mkdir(exist_ok=True)
        for name in SILENT:
            shutil.copy("/bin/true", TOOLS / name)
        os.environ["PATH"] = f"{TOOLS}:{os.environ['PATH']}"
        self.run(("detach",))
        self._allow()

    # --- what was before ---------------------------------------------------------------------------

    def prepare(self, scenario: Scenario) -> None:
        self._scenario, self.ejected = scenario, None
        self.run(("detach",))
        self._install(self._object)
        for folder in FOLDERS.values():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        (ETC / "profiles").mkdir()
        for name, text in PROFILES.items():
            (ETC / "profiles" / f"{name}.yaml").write_text(text)
        Path(FILE).write_text(PROFILES["three"])
        (ETC / "schedctl.yaml").write_text("profile: one\n")
        self._before(scenario)
        self._old = self.running()
        shutil.rmtree(SAVED, ignore_errors=True)
        for name, folder in FOLDERS.items():
            shutil.copytree(folder, SAVED / name)

    def _before(self, scenario: Scenario) -> None:
        (ETC / "profiles" / "one.yaml").write_text(PROFILES["one"])  # as it was before an edit
        for command in scenario.before:
            code, said = self.run(command)
            assert code == 0, said
            self._allow()
        match scenario.world:
            case World.EJECTED:
                self.ejected = self.running()
                Path("/proc/sysrq-trigger").write_text("S")
                self._await_end()
                self._allow()
            case World.UPGRADED:
                self._install(self._object + b"\0")  # another file, the same scheduler
            case World.EDITED:
                (ETC / "profiles" / "one.yaml").write_text(EDITED)

    def _install(self, data: bytes) -> None:
        """As a package does: the file takes its place at once."""
        path = bpf_object()
        if path.read_bytes() != data:
            path.with_suffix(".new").write_bytes(data)
            path.with_suffix(".new").replace(path)

    def restore(self) -> None:
        scenario = self._scenario
        assert scenario is not None
        as_before = self.running() == self._old
        if scenario.world is World.EJECTED or (scenario.world is World.UPGRADED and not as_before):
            self.prepare(scenario)
            return
        if not as_before:
            if self._old is None:
                self.run(("detach",))
            else:
                self._files()
                self._before(scenario)
        self._files()

    def _files(self) -> None:
        for name, folder in FOLDERS.items():
            shutil.rmtree(folder)
            shutil.copytree(SAVED / name, folder)

    def end(self) -> None:
        self.run(("detach",))
        self._install(self._object)

    # --- judge.Machine ------------------------------------------------------------------------------

    def running(self) -> Running | None:
        """Once the kernel has closed what a killed process held."""
        end = time.monotonic() + SETTLE_S
        while True:
            observation = observe(self.kernel)
            if observation.owner in (Owner.NONE, Owner.SCHEDCTL) and observation.state in (
                "enabled",
                "disabled",
            ):
                image = observation.image
                return None if image is None else Running(image, _object_id())
            state = f"the kernel's state stays {observation.state}, {observation.ops}"
            must(time.monotonic() < end, Wrong.MIXED, state)
            time.sleep(0.02)

    def _await_end(self) -> None:
        """The kernel ends a scheduler a little after it was told to."""
        end = time.monotonic() + SETTLE_S
        while self.running() is not None:
            assert time.monotonic() < end, "the scheduler has outlived SysRq-S"
            time.sleep(0.02)

    def run(self, command: Command) -> tuple[int, str]:
        """In a child: what it leaves open is gone with it."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os._exit(_in_child(command, writer))
        os.close(writer)
        with os.fdopen(reader) as file:
            said = file.read()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said

    def left_over(self) -> list[str]:
        """The kernel frees some of it a little later."""
        end = time.monotonic() + FREED_S
        while (found := _all_objects()) not in self._allowed:
            if time.monotonic() > end:
                return self._surplus(*found)
            time.sleep(0.05)
        return []

    def _allow(self) -> None:
        """What is there now, once nothing more goes."""
        found = _all_objects()
        while True:
            time.sleep(0.2)
            if (again := _all_objects()) == found:
                break
            found = again
        if found not in self._allowed:
            self._allowed.append(found)

    def _surplus(self, counts: Counter[str], pins: list[str]) -> list[str]:
        """Against what is nearest to it."""
        differences = []
        for allowed, allowed_pins in self._allowed:
            surplus, missing = counts - allowed, allowed - counts
            names = [f"{number} x {name}" for name, number in surplus.items()]
            names += [f"missing {number} x {name}" for name, number in missing.items()]
            names += [f"pin {name}" for name in pins if name not in allowed_pins]
            names += [f"missing pin {name}" for name in allowed_pins if name not in pins]
            differences.append(names)
        return min(differences, key=len)

    # --- the command that is hit ---------------------------------------------------------------------

    def hit(self, command: Command, fault: Fault | None = None) -> tuple[int, str, list[Step]]:
        reader, writer = os.pipe()
        injector = Injector(Namer("/", map_name).step, fault)
        code = ptrace.run(lambda: _in_child(command, writer), NUMBERS, injector.watch())
        os.close(writer)
        with os.fdopen(reader) as file:
            said = file.read()
        if fault is None:
            self.running()
            self._allow()
        return code, said, injector.steps


class _NoWatcher:
    def watch(self, files: Followed) -> None:
        pass


def _in_child(command: Command, writer: int) -> int:
    with os.fdopen(writer, "w") as file, redirect_stdout(file), redirect_stderr(file):
        if command != DAEMON:
            return main(list(command))
        queue = TriggerQueue()
        queue.put(Trigger.STOP)
        Daemon(RealKernel(), queue, _NoWatcher()).run(None)
        return 0


def _object_id() -> str | None:
    """Of the scheduler that is attached: in the midst of a swap that may be the one in the other folder."""
    pins = Pins(Path(PINS) / "schedctl")
    identity = (pins.next if pins.next.attached() else pins).identity()
    return identity.object_id if identity else None


def _all_objects() -> tuple[Counter[str], list[str]]:
    pins = [
        str(Path(parent, name).relative_to(PINS))
        for parent, folders, names in os.walk(PINS)
        for name in (*folders, *names)
    ]
    return objects(), sorted(pins)


# The kernel's steps of a load exist only here: a kill before each.
LOADING = ("attach", "swap")


def representative(steps: tuple[Step, ...]) -> Iterator[int]:
    """All steps on files; of the kernel's, the first and the last of each kind in a row of them."""
    last_of: dict[str, int] = {}
    for at, step in enumerate(steps):
        if not step.is_bpf and not step.target.startswith("/sys/"):
            yield at
            continue
        if step.call not in last_of:
            yield at
        last_of[step.call] = at
    yield from last_of.values()


def probes(step: Step) -> bool:
    """libbpf asks by these calls what the kernel can do: where one fails it takes it for an older one."""
    asks = step.call in ("bpf PROG_LOAD", "bpf MAP_CREATE", "bpf BTF_LOAD", "bpf PROG_BIND_MAP")
    return asks and (not step.target or step.target.startswith(("libbpf_", "det_arg_ctx")))


def chosen(steps: tuple[Step, ...]) -> Iterator[Fault]:
    """Kills before each representative step and behind the last, and the first error each may meet."""
    places = sorted(set(representative(steps)))
    yield Fault(Kind.KILL_BEHIND, len(steps) - 1)
    for turn, at in enumerate(places):
        yield Fault(Kind.KILL_BEFORE, at)
        if not probes(steps[at]):
            codes = errors(steps[at])
            yield Fault(Kind.ERROR, at, codes[turn % len(codes)])


def loading(steps: tuple[Step, ...]) -> range:
    """The steps before which all that is new in the kernel ends with the process: no link, no pin yet."""
    first = next(at for at, step in enumerate(steps) if step.is_bpf)
    lasting = (step.call.startswith("bpf LINK") or step.target.startswith(PINS) for step in steps)
    return range(first, next(at for at, lasts in enumerate(lasting) if lasts) + 1)


def say(document: dict[str, object]) -> None:
    print(json.dumps(document), flush=True)


def run_all(share: int, names: list[str], out: Callable[[dict[str, object]], None] = say) -> None:
    machine = Real()
    for name in names:
        scenario = BY_NAME[name]
        run = campaign.clean(machine, scenario)
        out({"scenario": name, "steps": counted(run.steps)})
        if not share:
            continue
        faults = list(chosen(run.steps))[::share]
        for fault in faults:
            out(campaign.strike(machine, scenario, run, fault).to_document())
        if name not in LOADING:
            continue
        ends_with_process = loading(run.steps)
        for at in range(len(run.steps)):
            fault = Fault(Kind.KILL_BEFORE, at)
            if fault not in faults:
                whole = at not in ends_with_process
                out(campaign.strike(machine, scenario, run, fault, whole).to_document())
    machine.end()


if __name__ == "__main__":
    run_all(int(sys.argv[1]), sys.argv[2:])
