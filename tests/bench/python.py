# SPDX-License-Identifier: GPL-2.0-only
"""`make timings`: how long Python takes, with 50 classes on the kernel in memory.

An edit is measured in the daemon's own loop: from the trigger that a file has changed until the plan is
made. The 50 ms of silence that it waits for first are left out. A command is measured as a whole process, as
a shell starts it, after one that has written the bytecode. "cpu" is what the process itself has used.
Root's measurement runs as SCHED_FIFO: it waits for nobody, and shares caches and cores with what else runs.
"""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from unittest import mock

from schedctl import paths, reconcile
from schedctl.daemon import loop
from schedctl.daemon.files import Followed
from schedctl.daemon.triggers import Trigger, TriggerQueue
from schedctl.image.abi import encode
from schedctl.kernel.protocol import Kernel
from schedctl.plan import Plan
from schedctl.profile.load import Loader
from tests.armed import ArmedTimers
from tests.kernel.fake import FakeKernel

NR_CLASSES = 50
NR_EDITS = 500
NR_RUNS = 25
EDIT_MS, STATUS_MS, HELP_MS = 20, 150, 60
ROOT = Path(__file__).resolve().parents[2]


def profile(edit: int) -> str:
    """50 classes; each edit gives one of them another level, and another one program's name."""
    lines = ["schedctl: 1", "name: edited", "policy: {cpu_max: ignore}", "classes:"]
    for number in range(NR_CLASSES):
        edited = edit // NR_CLASSES + (number < edit % NR_CLASSES)
        other = f"unit: service{number}.service" if number % 5 == 0 else f"exe: /opt/tools/bin/tool{number}-*"
        lines += [
            f"  class-{number}:",
            f"    level: {(number + edited) % 7 + 1}",
            f"    period: {10 + number}ms",
            "    runtime: 100us",
            f"    match: [{{comm: [worker{number}-*, tool{number}-{edited}]}}, {{{other}}}]",
        ]
    return "\n".join(lines) + "\n"


# --- edits ----------------------------------------------------------------------------------------


@dataclass
class Stopwatch:
    """In ms, of the wall and of this process."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    _begun: tuple[float, float] = (0, 0)

    def begin(self) -> None:
        self._begun = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        self.wall.append((time.perf_counter() - self._begun[0]) * 1000)
        self.cpu.append((time.process_time() - self._begun[1]) * 1000)


class Edits(TriggerQueue):
    """Whenever the daemon waits, the file is edited once more."""

    def __init__(self, file: Path, watch: Stopwatch) -> None:
        super().__init__()
        self._edits = self._edited(file, watch)

    def _edited(self, file: Path, watch: Stopwatch) -> Iterator[Trigger]:
        for edit in range(1, NR_EDITS + 1):
            file.write_text(profile(edit))
            watch.begin()
            yield Trigger.FILES

    def get(self, timeout: float | None = None) -> Trigger:
        if timeout == 0:
            raise Empty  # nothing else comes with the edit
        return next(self._edits, Trigger.STOP)


class Unwatched:
    def watch(self, files: Followed) -> None:
        """Each edit comes with its trigger."""


def time_edits(file: Path) -> Stopwatch:
    watch, make = Stopwatch(), reconcile.plan_change

    def timed(*given: object) -> Plan:
        plan = make(*given)  # type: ignore[arg-type]
        watch.stop()
        return plan

    kernel: Kernel = FakeKernel()
    file.write_text(profile(0))
    watch.begin()
    gc.freeze()  # as schedctld does
    gc.disable()
    with mock.patch.object(reconcile, "plan_change", timed), mock.patch.object(loop, "QUIET_S", 0):
        loop.Daemon(kernel, Edits(file, watch), Unwatched(), timer=ArmedTimers(), last_good=lambda: None).run(
            None
        )
    gc.enable()
    assert len(watch.wall) == NR_EDITS + 1, "each edit was planned"
    del watch.wall[0], watch.cpu[0]  # the first attach
    return watch


# --- commands -------------------------------------------------------------------------------------


def time_command(argv: Sequence[str], expected: int) -> Stopwatch:
    """The first run is not counted: it writes the bytecode."""
    watch = Stopwatch()
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for _ in range(NR_RUNS + 1):
        begun = time.perf_counter()
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
        said = process.stderr.read() if process.stderr else b""
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.wall.append((time.perf_counter() - begun) * 1000)
        watch.cpu.append((used.ru_utime + used.ru_stime) * 1000)
        assert process.returncode == expected, (argv, process.returncode, said.decode())
    del watch.wall[0], watch.cpu[0]
    return watch


# --- what is shown --------------------------------------------------------------------------------


def at(values: list[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def line(what: str, watch: Stopwatch, bar: str) -> str:
    def three(values: list[float]) -> str:
        return "".join(f"{at(values, share):8.1f}" for share in (0.5, 0.99, 1))

    return f"{what:44}{three(watch.wall)}  {three(watch.cpu)}   {bar}"


def verdict(value: float, bar: float) -> str:
    return f"{value:.1f} of at most {bar} ms: {'held' if value <= bar else 'MISSED'}"


def go_first() -> str:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return "beside"
    return "before"


def main() -> int:
    order = go_first()
    schedctl = str(Path(sys.executable).with_name("schedctl"))
    with tempfile.TemporaryDirectory() as root:
        os.environ["SCHEDCTL_ROOT"] = root
        file = paths.under_root("/etc/schedctl/profiles/edited.yaml")
        file.parent.mkdir(parents=True)
        paths.standing_file().write_text("profile: edited\n")
        with redirect_stderr(io.StringIO()):  # the daemon's journal
            edits = time_edits(file)
        desired = reconcile.desired_image(Loader().by_path(file).profile)
        policy = Path(root) / "policy"
        policy.write_bytes(encode(desired, 0, 1, 1))
        on_fake = [sys.executable, str(Path(__file__).with_name("on_fake.py")), str(policy)]
        status = time_command([*on_fake, "status"], 0)
        usage = time_command([schedctl, "--help"], 0)
        python = time_command([sys.executable, "-c", "pass"], 0)
    load = " ".join(f"{number:.1f}" for number in os.getloadavg())
    print(f"{NR_CLASSES} classes, {NR_EDITS} edits, {NR_RUNS} runs of each command,")
    print(f"{order} whatever else ran on this machine, whose load was {load}")
    print(f"{'ms':44}{'wall':>8}{'p99':>8}{'max':>8}  {'cpu':>8}{'p99':>8}{'max':>8}")
    held = (at(edits.cpu, 0.99), EDIT_MS), (at(status.wall, 0.5), STATUS_MS), (at(usage.wall, 0.5), HELP_MS)
    print(line("file changed -> plan ready", edits, f"p99 of cpu: {verdict(*held[0])}"))
    print(line("schedctl status, its kernel in memory", status, f"median of wall: {verdict(*held[1])}"))
    print(line("schedctl --help", usage, f"median of wall: {verdict(*held[2])}"))
    print(line("python3 -c pass, for comparison", python, ""))
    return int(any(value > bar for value, bar in held))


if __name__ == "__main__":
    sys.exit(main())
