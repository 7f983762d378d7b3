# SPDX-License-Identifier: GPL-2.0-only
"""The threads of this machine from /proc, as rules see them. Ten thousand take about a second.

Without root the executables of other users' processes cannot be read. A thread that ends while it is
read is left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from schedctl.resolve.match import OUTSIDE, SchedPolicy, Thread
from schedctl.resolve.units import unit_of, user_unit_of

PROC = Path("/proc")
COMM_BYTES = 15
_PF_KTHREAD = 0x00200000
_DELETED = " (deleted)"
# /proc adds to a kernel worker's name what it works on: "kworker/0:1-events".
_WORKER = re.compile(rb"(kworker/[0-9uHI:]+)[-+].*", re.DOTALL)
_POLICIES = {
    0: SchedPolicy.OTHER,
    1: SchedPolicy.FIFO,
    2: SchedPolicy.RR,
    3: SchedPolicy.BATCH,
    5: SchedPolicy.IDLE,
    6: SchedPolicy.DEADLINE,
    7: SchedPolicy.EXT,
}
ALL_POLICIES = frozenset(SchedPolicy)
_READ_BYTES = 8192

Wanted = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class LiveThread:
    """`exe_known` is False where /proc does not let us see the executable."""

    tid: int
    pid: int
    thread: Thread
    exe_known: bool = True


class _Process:
    """What the threads of one process share: read when the first of them needs it."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._exe: tuple[str, int | None, bool] | None = None

    def exe(self) -> tuple[str, int | None, bool]:
        """(path, owner, known); a file that an upgrade has replaced keeps its path."""
        if self._exe is None:
            link = f"{self._directory}/exe"
            try:
                self._exe = (os.readlink(link).removesuffix(_DELETED), os.stat(link).st_uid, True)
            except PermissionError:
                self._exe = ("", None, False)
            except OSError:
                self._exe = ("", None, True)
        return self._exe


def threads(
    wanted: Wanted = lambda _: True, proc: Path = PROC, policies: Collection[SchedPolicy] = ALL_POLICIES
) -> Iterator[LiveThread]:
    """All threads whose name `wanted` takes, of these policies, by process; others cost one read each."""
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdecimal()):
        process = _Process(f"{proc}/{pid}")
        try:
            tids = sorted(map(int, os.listdir(f"{proc}/{pid}/task")))
        except OSError:
            continue
        for tid in tids:
            if (found := _thread(proc, pid, tid, process, wanted, policies)) is not None:
                yield found


def rivals(proc: Path = PROC) -> tuple[tuple[int, Thread], ...]:
    """(TID, thread) of those in the classes that the kernel runs before sched_ext, in one pass."""
    return tuple((live.tid, live.thread) for live in threads(proc=proc, policies=OUTSIDE))


def thread_ids(proc: Path = PROC) -> Iterator[int]:
    """The TIDs of all threads."""
    for pid in (name for name in os.listdir(proc) if name.isdecimal()):
        with suppress(OSError):
            yield from map(int, os.listdir(f"{proc}/{pid}/task"))


def thread_by_tid(tid: int, proc: Path = PROC) -> LiveThread | None:
    """One thread, or None where there is none."""
    try:
        pid = int(_field(_read(f"{proc}/{tid}/status"), b"\nTgid:"))
    except (OSError, ValueError):
        return None
    return _thread(proc, pid, tid, _Process(f"{proc}/{pid}"), lambda _: True, ALL_POLICIES)


def _thread(
    proc: Path, pid: int, tid: int, process: _Process, wanted: Wanted, policies: Collection[SchedPolicy]
) -> LiveThread | None:
    directory = f"{proc}/{pid}/task/{tid}"
    try:
        name, fields = _stat(_read(f"{directory}/stat"))
        kthread = bool(int(fields[6]) & _PF_KTHREAD)
        comm = _comm(name, kthread)
        policy = _POLICIES.get(int(fields[38]), SchedPolicy.OTHER)
        if policy not in policies or not wanted(comm):
            return None
        status = _read(f"{directory}/status")
        cgroup = _cgroup(_read(f"{directory}/cgroup"))
    except (OSError, ValueError):  # it ended; some files are empty then
        return None
    exe, owner, known = ("", None, True) if kthread else process.exe()
    thread = Thread(
        comm,
        exe,
        owner,
        cgroup,
        unit_of(cgroup),
        user_unit_of(cgroup),
        uid=int(_field(status, b"\nUid:")),
        gid=int(_field(status, b"\nGid:")),
        kthread=kthread,
        leader=tid == pid,
        nice=int(fields[16]),
        policy=policy,
    )
    return LiveThread(tid, pid, thread, known)


def _stat(text: bytes) -> tuple[bytes, list[bytes]]:
    """The name, which may hold anything, and the fields behind it: [0] is the state."""
    end = text.rindex(b")")
    return text[text.index(b"(") + 1 : end], text[end + 2 :].split()


def _comm(name: bytes, kthread: bool) -> bytes:
    """What the kernel compares: /proc prints longer names for its own threads."""
    if kthread and (worker := _WORKER.fullmatch(name)):
        name = worker[1]
    return name[:COMM_BYTES]


def _cgroup(text: bytes) -> str:
    """The path in the unified hierarchy; "/" where there is none."""
    for line in text.splitlines():
        if line.startswith(b"0::"):
            return os.fsdecode(line[3:]).removesuffix(_DELETED)
    return "/"


def _field(status: bytes, key: bytes) -> bytes:
    """The first word behind a key: of Uid and Gid the real one."""
    begin = status.index(key) + len(key)
    return status[begin : begin + 32].split(maxsplit=1)[0]


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _READ_BYTES)
    finally:
        os.close(descriptor)
