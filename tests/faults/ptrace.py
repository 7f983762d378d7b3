# SPDX-License-Identifier: GPL-2.0-only
"""A function in a child that stops before and behind each system call of a list: seccomp and ptrace, x86-64.

Unlike with strace's injection, one counter runs over all calls, and whoever watches sees the arguments
before the call is made. Runs on the host and in the guest.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

SUPPORTED = platform.machine() == "x86_64"

_TRACEME, _CONT, _GETREGS, _SETREGS, _SYSCALL = 0, 7, 12, 13, 24
_SETOPTIONS, _GETEVENTMSG = 0x4200, 0x4201
# SYSGOOD, FORK, VFORK, CLONE, EXEC, SECCOMP, EXITKILL
_OPTIONS = 1 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 20
_EVENT_SECCOMP = 7
_SYSCALL_STOP = signal.SIGTRAP | 0x80
_NR_REGISTERS = 27
_RAX, _RDX, _RSI, _RDI, _ORIG_RAX = 10, 12, 13, 14, 15
_ARGUMENTS = (_RDI, _RSI, _RDX, 7, 9, 8)  # and r10, r8, r9
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_MODE_FILTER = 2
_RET_TRACE, _RET_ALLOW = 0x7FF00000, 0x7FFF0000
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_PAGE = 4096
_WALL = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int, address: int = 0, data: Any = 0) -> None:
    if _libc.ptrace(request, pid, address, data) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@dataclass(slots=True)
class Call:
    """A system call that a thread of the child is about to make, or has made (then `result` is set)."""

    pid: int
    number: int
    arguments: tuple[int, ...]
    result: int | None = None

    def memory(self, address: int, size: int) -> bytes:
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as file:
            return os.pread(file.fileno(), size, address)

    def text(self, address: int) -> str:
        """A string of C, of at most a path's length."""
        data = b""
        while address and b"\0" not in data and len(data) < _PAGE:
            upto = _PAGE - (address + len(data)) % _PAGE
            data += self.memory(address + len(data), upto)
        return data.partition(b"\0")[0].decode(errors="replace")

    def descriptor(self, number: int) -> str:
        """What /proc says a descriptor is."""
        try:
            return os.readlink(f"/proc/{self.pid}/fd/{ctypes.c_int(number).value}")
        except OSError:
            return "?"


class Order(Enum):
    """What becomes of the call, or of the child."""

    GO_ON = 0
    KILL = 1
    """The child ends here: at a call's entry the call is not made."""


Verdict = Order | int
"""An int is an errno with which the call fails, without having been made."""


@dataclass(frozen=True, slots=True)
class Watch:
    """`before` and `behind` are called for each listed call of the child's threads, not of its children."""

    before: Callable[[Call], Verdict]
    behind: Callable[[Call], Order]


def run(function: Callable[[], int], numbers: Iterable[int], watch: Watch) -> int:
    """The exit status of `function` in a child, -N where signal N ended it; waits for its children too."""
    pid = os.fork()
    if pid == 0:
        _child(function, tuple(numbers))
    return _Tracer(pid, watch).run()


def _child(function: Callable[[], int], numbers: tuple[int, ...]) -> None:
    status = 99
    try:
        os.setpgid(0, 0)
        _ptrace(_TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        _filter(numbers)
        status = function()
    except Exception:
        traceback.print_exc()
        raise
    finally:
        os._exit(status)


def _filter(numbers: tuple[int, ...]) -> None:
    """From here on, and in all children, the listed calls stop for the tracer; without one they fail."""
    last = len(numbers)
    program = [(_LOAD, 0, 0, 0)]
    program += [(_JUMP_EQUAL, last - i, 0, number) for i, number in enumerate(numbers)]
    program += [(_RETURN, 0, 0, _RET_ALLOW), (_RETURN, 0, 0, _RET_TRACE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    if os.geteuid() != 0 and _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if _libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(head), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


class _Tracer:
    def __init__(self, pid: int, watch: Watch) -> None:
        self._pid, self._watch = pid, watch
        self._inside: dict[int, Call] = {}  # by thread
        self._threads = {pid}
        self._left = {pid}

    def run(self) -> int:
        os.waitpid(self._pid, 0)
        _ptrace(_SETOPTIONS, self._pid, 0, _OPTIONS)
        _ptrace(_CONT, self._pid)
        status = 99
        while self._left:
            # the group only: the caller may have children of its own
            pid, found = os.waitpid(-self._pid, _WALL)
            if not os.WIFSTOPPED(found):
                self._left.discard(pid)
                if pid == self._pid:
                    status = os.waitstatus_to_exitcode(found)
                continue
            self._left.add(pid)
            try:
                self._stopped(pid, found)
            except ProcessLookupError:
                continue  # it was killed meanwhile
        return status

    def _stopped(self, pid: int, found: int) -> None:
        sig, event = os.WSTOPSIG(found), found >> 16
        if event == _EVENT_SECCOMP and self._is_ours(pid):
            self._entering(pid)
        elif sig == _SYSCALL_STOP and pid in self._inside:
            self._leaving(pid)
        elif event or sig in (signal.SIGTRAP, _SYSCALL_STOP):
            _ptrace(_CONT, pid)
        else:
            new = sig == signal.SIGSTOP  # how a new thread or child begins
            _ptrace(_CONT, pid, 0, 0 if new else sig)

    def _is_ours(self, pid: int) -> bool:
        """Whether it is a thread of the child itself."""
        if pid not in self._threads and os.path.exists(f"/proc/{self._pid}/task/{pid}"):
            self._threads.add(pid)
        return pid in self._threads

    def _entering(self, pid: int) -> None:
        registers = (ctypes.c_uint64 * _NR_REGISTERS)()
        _ptrace(_GETREGS, pid, 0, ctypes.addressof(registers))
        arguments = tuple(registers[place] for place in _ARGUMENTS)
        call = Call(pid, ctypes.c_int(registers[_ORIG_RAX]).value, arguments)
        verdict = self._watch.before(call)
        if verdict is Order.KILL:
            self._kill()
        elif isinstance(verdict, int):
            registers[_ORIG_RAX], registers[_RAX] = 2**64 - 1, 2**64 - verdict
            _ptrace(_SETREGS, pid, 0, ctypes.addressof(registers))
            _ptrace(_CONT, pid)
        else:
            self._inside[pid] = call
            _ptrace(_SYSCALL, pid)

    def _leaving(self, pid: int) -> None:
        registers = (ctypes.c_uint64 * _NR_REGISTERS)()
        _ptrace(_GETREGS, pid, 0, ctypes.addressof(registers))
        call = self._inside.pop(pid)
        call.result = ctypes.c_int64(registers[_RAX]).value
        if self._watch.behind(call) is Order.KILL:
            self._kill()
        else:
            _ptrace(_CONT, pid)

    def _kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
