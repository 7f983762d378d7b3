# SPDX-License-Identifier: GPL-2.0-only
"""A machine with the daemon's real loop and sockets on a fake kernel, in a process of its own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schedctl import paths
from schedctl.daemon.files import Followed
from schedctl.daemon.loop import Daemon
from schedctl.daemon.triggers import TriggerQueue, install_signal_handlers
from schedctl.inquiry import ask
from schedctl.kernel.protocol import Kernel
from schedctl.presence import only_daemon
from tests.kernel.fake import FakeKernel

PROFILE = "schedctl: 1\nname: %s\nclasses:\n  game: {match: [{comm: game}], level: %s}\n"


class NobodyWatches:
    def watch(self, files: Followed) -> None:
        pass


def edit(level: int, name: str = "edited") -> None:
    """A profile; `edited` is the standing choice."""
    folder = paths.under_root("/etc/schedctl/profiles")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(PROFILE % (name, level))
    paths.standing_file().write_text("profile: edited\n")


@dataclass
class Process:
    """The daemon's."""

    pid: int

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def end(self, number: int = signal.SIGKILL) -> int:
        """Its exit code; 0 where it has ended before."""
        if not self.pid:
            return 0
        self.send(number)
        self.send(signal.SIGCONT)
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def nr_descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


@contextmanager
def daemon(prepare: Callable[[FakeKernel], object] = lambda _: None) -> Iterator[Process]:
    """It runs and has opened its sockets; what the kernel does then is in the process alone."""
    paths.run_dir().mkdir(parents=True, exist_ok=True)
    kernel = FakeKernel()
    prepare(kernel)
    pid = os.fork()
    if pid == 0:
        _run(kernel)
    process = Process(pid)
    try:
        _await_listening()
        yield process
    finally:
        process.end()


def _run(kernel: Kernel) -> None:
    status = 99
    try:
        # pytest's own files would be written to twice
        for stream in (1, 2):
            os.dup2(os.open(paths.run_dir() / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        queue = TriggerQueue()
        install_signal_handlers(queue)
        with only_daemon():
            Daemon(kernel, queue, NobodyWatches()).run(None)
        status = 0
    finally:
        os._exit(status)


def _await_listening() -> None:
    """Until it answers, also where the one before was killed; the status socket is opened last."""
    deadline = time.monotonic() + 20
    while ask() is None:
        assert time.monotonic() < deadline, (paths.run_dir() / "output").read_text()
        time.sleep(0.01)
