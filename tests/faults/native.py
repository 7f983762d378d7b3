# SPDX-License-Identifier: GPL-2.0-only
"""A machine in a folder: files are real, and the kernel is the fake one, which outlives who is killed.

The command runs in a child; its calls of the kernel come by a pipe, and are steps like its system calls.
"""

from __future__ import annotations

import copy
import fcntl
import io
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from schedctl import clock, paths
from schedctl.cli.main import main
from schedctl.daemon.files import Followed
from schedctl.daemon.loop import Daemon
from schedctl.daemon.triggers import Trigger, TriggerQueue
from schedctl.errors import SchedctlError
from schedctl.image.stats import ExitRecord
from schedctl.kernel import real
from schedctl.kernel.tables import refused
from schedctl.observe import Owner, observe
from tests.faults import ptrace
from tests.faults.disk import Disk
from tests.faults.faults import Fault, Injector, Kind
from tests.faults.judge import Running, Wrong, must
from tests.faults.ptrace import Call, Order, Watch
from tests.faults.scenarios import DAEMON, EDITED, FILE, PROFILES, SILENT, Command, Scenario, World
from tests.faults.steps import NUMBERS, WRITE, Namer, Step
from tests.kernel.fake import FakeKernel

STALL = ExitRecord(1026, 0, 1, "runnable task stall", "cc1[7] did not run for 30s")
_CHANGING = ("attach", "swap", "write_policy", "clear_class_stats", "flip", "detach", "release", "converge")
_PIPE_BYTES = 1 << 20


class Remote:
    """The kernel as the child sees it; every call is one write to a pipe."""

    def __init__(self, request: int, answer: int) -> None:
        self._request, self._answer = request, answer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            *plain, last = arguments or (None,)
            if callable(last):  # what is to be done before a swap's detach
                last()
                arguments = tuple(plain)
            os.write(self._request, pickle.dumps((name, arguments)))
            size = int.from_bytes(os.read(self._answer, 4), "big")
            kind, value = pickle.loads(os.read(self._answer, size))
            if kind == "error":
                raise value
            return value

        return call


class Native:
    """Use as a context manager: it sets where schedctl's files lie, and which kernel it finds."""

    def __init__(self, root: Path) -> None:
        self.root, self.kernel = root, FakeKernel()
        self._saved = root.with_name(f"{root.name}-saved")
        self._saved_kernel = self.kernel
        self._patched: list[tuple[Any, str, Any]] = []
        self.attached_at_cut = False
        self.ejected: Running | None = None
        self._environment = dict(os.environ)
        self._boot = root.with_name(f"{root.name}-boot")

    def __enter__(self) -> Native:
        self._environment = dict(os.environ)
        os.environ["SCHEDCTL_ROOT"] = str(self.root)
        tools = self.root.with_name(f"{self.root.name}-tools")
        tools.mkdir(parents=True, exist_ok=True)
        for name in SILENT:
            shutil.copy("/bin/true", tools / name)
        os.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
        self._patch(real, "RealKernel", lambda: self.kernel)
        self._patch(clock, "_BOOT_ID", self._boot)
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, value in self._patched:
            setattr(owner, name, value)
        os.environ.clear()
        os.environ.update(self._environment)

    def _patch(self, owner: Any, name: str, value: Any) -> None:
        self._patched.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)

    # --- what was before ---------------------------------------------------------------------------

    def prepare(self, scenario: Scenario) -> None:
        """As the scenario wants it, and kept for `restore`."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.kernel = FakeKernel()
        self.ejected = None
        self._boot.write_text("first\n")
        for folder in ("/run/schedctl", "/run/systemd/system", "/var/lib/schedctl", "/etc/schedctl/profiles"):
            self._file(folder).mkdir(parents=True)
        for name, text in PROFILES.items():
            self._file(f"/etc/schedctl/profiles/{name}.yaml").write_text(text)
        self._file(FILE).write_text(PROFILES["three"])
        paths.standing_file().write_text("profile: one\n")
        for command in scenario.before:
            code, said = self.run(command)
            assert code == 0, said
        match scenario.world:
            case World.EJECTED:
                self.ejected = self.running()
                self.kernel.eject(STALL)
            case World.UPGRADED:
                self.kernel.installed = "b" * 64
            case World.EDITED:
                self._file("/etc/schedctl/profiles/one.yaml").write_text(EDITED)
        shutil.rmtree(self._saved, ignore_errors=True)
        shutil.copytree(self.root, self._saved, symlinks=True)
        self._saved_kernel = copy.deepcopy(self.kernel)

    def restore(self) -> None:
        shutil.rmtree(self.root)
        shutil.copytree(self._saved, self.root, symlinks=True)
        self.kernel = copy.deepcopy(self._saved_kernel)
        self._boot.write_text("first\n")

    def _file(self, path: str) -> Path:
        return paths.under_root(path)

    # --- judge.Machine ------------------------------------------------------------------------------

    def running(self) -> Running | None:
        observation = observe(self.kernel)
        must(observation.owner in (Owner.SCHEDCTL, Owner.NONE), Wrong.MIXED, observation.owner)
        image = observation.image
        return None if image is None else Running(image, self.kernel.running_object_id())

    def run(self, command: Command) -> tuple[int, str]:
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = self._command(command)
        return code, said.getvalue()

    def left_over(self) -> list[str]:
        pinned = self.kernel.link and not self.kernel.running
        return ["pins of a scheduler that does not run"] if pinned else []

    def _command(self, command: Command) -> int:
        if command == DAEMON:
            queue = TriggerQueue()
            queue.put(Trigger.STOP)
            Daemon(real.RealKernel(), queue, _NoWatcher()).run(None)
            return 0
        return main([str(self._file(word)) if word == FILE else word for word in command])

    # --- the command that is hit ---------------------------------------------------------------------

    def hit(self, command: Command, fault: Fault | None = None) -> tuple[int, str, list[Step]]:
        """Exit code, what was said, and the steps that were begun. After a power cut: another boot."""
        disk = Disk((paths.state_dir(), paths.standing_file().parent))
        with _pipes(3) as (request, answer, said):
            server = _Server(self.kernel, request[0], answer[1])
            pipe = f"pipe:[{os.fstat(request[1]).st_ino}]"

            def asks(call: Call) -> bool:
                return call.number == WRITE and call.descriptor(call.arguments[0]) == pipe

            namer = Namer(str(self.root))
            injector = Injector(
                lambda call: server.step(call) if asks(call) else namer.step(call),
                fault,
                lambda call, step, due: server.serve(due) if asks(call) else disk.done(call, step),
            )
            listed = injector.watch()

            def behind(call: Call) -> Order:
                if asks(call) and not server.changes:
                    server.serve(None)
                    return Order.GO_ON
                return listed.behind(call)

            remote = Remote(request[1], answer[0])
            watch = Watch(listed.before, behind)
            code = ptrace.run(lambda: self._in_child(command, remote, said[1]), NUMBERS, watch)
            text = _read_all(said[0])
        if fault is not None and fault.kind in (Kind.CUT, Kind.CUT_EMPTY):
            disk.cut(empty=fault.kind is Kind.CUT_EMPTY)
            shutil.rmtree(paths.run_dir())
            paths.run_dir().mkdir()
            self.attached_at_cut = self.kernel.running
            self.kernel = FakeKernel()
            self._boot.write_text("second\n")
        return code, text, injector.steps

    def _in_child(self, command: Command, remote: Remote, said: int) -> int:
        real.RealKernel = lambda: remote  # type: ignore[assignment,misc]
        with os.fdopen(said, "w") as file, redirect_stdout(file), redirect_stderr(file):
            return self._command(command)


class _Server:
    """The kernel's side of the pipes, in the process that traces the child."""

    def __init__(self, kernel: FakeKernel, request: int, answer: int) -> None:
        self._kernel, self._request, self._answer = kernel, request, answer
        self.changes = False

    def step(self, call: Call) -> Step | None:
        _, address, size = call.arguments[:3]
        name, _ = pickle.loads(call.memory(address, size))
        self.changes = name in _CHANGING
        return Step("kernel", name) if self.changes else None

    def serve(self, fault: Fault | None) -> None:
        name, arguments = pickle.loads(os.read(self._request, _PIPE_BYTES))
        if fault is not None and fault.kind is Kind.KILL_WITHIN:
            self._kernel.running, self._kernel.interrupted = False, True
            return
        try:
            if fault is not None and fault.code:
                with refused(f"{name} was refused"):
                    raise OSError(fault.code, os.strerror(fault.code))
            self._kernel.torn = fault is not None and fault.kind is Kind.TORN
            found = getattr(self._kernel, name)(*arguments)
            self._kernel.torn = False
            answer = ("value", list(found) if isinstance(found, Iterator) else found)
        except SchedctlError as error:
            answer = ("error", error)
        data = pickle.dumps(answer)
        os.write(self._answer, len(data).to_bytes(4, "big") + data)


class _NoWatcher:
    def watch(self, files: Followed) -> None:
        pass


@contextmanager
def _pipes(count: int) -> Iterator[list[tuple[int, int]]]:
    ends = [os.pipe() for _ in range(count)]
    for _, write in ends:
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    try:
        yield ends
    finally:
        for end in (end for pair in ends for end in pair):
            os.close(end)


def _read_all(descriptor: int) -> str:
    os.set_blocking(descriptor, False)
    try:
        return os.read(descriptor, _PIPE_BYTES).decode(errors="replace")
    except BlockingIOError:
        return ""
