# SPDX-License-Identifier: GPL-2.0-only
"""Threads from a recorded /proc and from the one of the machine that runs the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schedctl.kernel.procfs import thread_by_tid, threads
from schedctl.resolve.match import SchedPolicy


def record(
    proc: Path, tid: int, name: str, *, flags: int = 0, nice: int = 0, policy: int = 0, cgroup: str = "/"
) -> None:
    """A process with one thread; numbers of proc(5)."""
    fields = ["0"] * 50
    fields[0], fields[6], fields[16], fields[38] = "S", str(flags), str(nice), str(policy)
    status = f"Name:\t{name}\nTgid:\t{tid}\nUid:\t1000\t0\t0\t0\nGid:\t100\t0\t0\t0\n"
    for directory in (proc / str(tid), proc / str(tid) / "task" / str(tid)):
        directory.mkdir(parents=True)
        (directory / "stat").write_text(f"{tid} ({name}) {' '.join(fields)}\n")
        (directory / "status").write_text(status)
        (directory / "cgroup").write_text(f"1:cpu:/other\n0::{cgroup}\n")


@pytest.mark.parametrize(
    ("shown", "flags", "comm"),
    [
        ("plain", 0, b"plain"),
        ("kworker/0:1-events", 0x200000, b"kworker/0:1"),
        ("kworker/u16:3+ext4-rsv-conversion", 0x200000, b"kworker/u16:3"),
        ("kworker/R-rcu_gp", 0x200000, b"kworker/R-rcu_g"),
        ("kworker/0:1-mine", 0, b"kworker/0:1-min"),
        ("irq/45-some-long-device", 0x200000, b"irq/45-some-lon"),
        (r"a\nb", 0, rb"a\nb"),
        ("a) S 1 (b", 0, b"a) S 1 (b"),
    ],
)
def test_names_as_the_kernel_compares_them(tmp_path: Path, shown: str, flags: int, comm: bytes) -> None:
    record(tmp_path, 7, shown, flags=flags)
    (found,) = threads(proc=tmp_path)
    assert found.thread.comm == comm
    assert found.thread.kthread is bool(flags)


def test_everything_a_rule_looks_at(tmp_path: Path) -> None:
    unit = "/user.slice/user-1000.slice/user@1000.service/app.slice/a.scope"
    record(tmp_path, 7, "x", nice=-5, policy=5, cgroup=unit + " (deleted)")
    (tmp_path / "7" / "exe").symlink_to("/bin/sh (deleted)")
    found = thread_by_tid(7, tmp_path)
    assert found is not None
    thread = found.thread
    assert (found.tid, found.pid, thread.uid, thread.gid, thread.nice) == (7, 7, 1000, 100, -5)
    assert (thread.cgroup, thread.unit, thread.user_unit) == (unit, "user@1000.service", "a.scope")
    assert (thread.leader, thread.policy) == (True, SchedPolicy.IDLE)


def test_threads_that_vanish(tmp_path: Path) -> None:
    record(tmp_path, 7, "stays")
    record(tmp_path, 8, "goes")
    (tmp_path / "8/task/8/status").unlink()
    record(tmp_path, 9, "empty")
    (tmp_path / "9/task/9/stat").write_text("")
    (tmp_path / "10").mkdir()
    assert [found.tid for found in threads(proc=tmp_path)] == [7]
    assert thread_by_tid(8, tmp_path) is None
    assert thread_by_tid(11, tmp_path) is None


def test_only_wanted_names(tmp_path: Path) -> None:
    for tid, name in ((7, "one"), (8, "two")):
        record(tmp_path, tid, name)
    assert [found.tid for found in threads(lambda comm: comm == b"two", tmp_path)] == [8]


def test_a_real_name_with_everything_in_it() -> None:
    name = b"a)\\n (\xff\n"
    script = f"open('/proc/self/comm', 'wb').write({name!r}); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = thread_by_tid(child.pid)
        child.kill()
    assert found is not None
    assert found.thread.comm == name
    assert found.thread.exe == os.path.realpath(sys.executable)
    assert found.thread.exe_owner_uid == os.stat(sys.executable).st_uid


def test_a_thousand_threads_in_a_fraction_of_a_second() -> None:
    script = """
import threading
threading.stack_size(65536)
wait = threading.Event()
for _ in range(1000):
    threading.Thread(target=wait.wait, daemon=True).start()
print(flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        start = time.process_time()
        count = sum(found.pid == child.pid for found in threads())
        spent = time.process_time() - start
        child.kill()
    assert count == 1001
    assert spent < 0.5
