# SPDX-License-Identifier: GPL-2.0-only
"""The timer slack of threads (/proc/TID/timerslack_ns), decided by what the scheduler keeps about each.

A TID may have become another thread's at any time. A file below /proc stays with its thread, and so does
a pidfd: the file is opened first, then the pidfd's thread is seen to live, so both are of one thread.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

from schedctl.image.identity import Identity
from schedctl.image.task import TaskContext, decode_task
from schedctl.kernel import libbpf
from schedctl.kernel.protocol import ChooseSlack
from schedctl.slack import SlackKept, SlackRecord, given_back

_PIDFD_THREAD = os.O_EXCL  # Linux 6.9: any thread, not only the first of a process
_LOOKS = 3
T = TypeVar("T", bound=SlackKept)


def context_of(contexts: libbpf.Map, pidfd: int) -> TaskContext | None:
    """What the scheduler keeps about a thread; None without, or of a layout that is not ours."""
    try:
        return decode_task(contexts.lookup(pidfd))
    except (OSError, ValueError):
        return None


@contextmanager
def thread_pidfd(tid: int) -> Iterator[int | None]:
    """A pidfd of one thread; None where it has ended."""
    try:
        pidfd = os.pidfd_open(tid, _PIDFD_THREAD)
    except OSError:
        yield None
        return
    try:
        yield pidfd
    finally:
        os.close(pidfd)


def set_slack(contexts: libbpf.Map, tid: int, choose: ChooseSlack) -> bool:
    """See protocol.Kernel.set_slack."""
    return _set_slack(lambda pidfd: context_of(contexts, pidfd), tid, choose)


def give_back(contexts: libbpf.Map, tid: int, identity: Identity) -> bool:
    """To a thread whose context has any layout, which `identity` tells; whether it has another slack now."""

    def look(pidfd: int) -> SlackRecord | None:
        try:
            return SlackRecord(*identity.slack_of(contexts.lookup(pidfd)))
        except (OSError, ValueError):
            return None

    return _set_slack(look, tid, given_back)


def _set_slack(look: Callable[[int], T | None], tid: int, choose: Callable[[T, int], int | None]) -> bool:
    with thread_pidfd(tid) as pidfd:
        if pidfd is None or (context := look(pidfd)) is None or not context.slack_ns:
            return False
        try:
            file = os.open(f"/proc/{tid}/timerslack_ns", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            with suppress(PermissionError):  # said of threads that live: the daemon has no CAP_KILL
                signal.pidfd_send_signal(pidfd, 0)
            return _settle(partial(look, pidfd), file, context, choose)
        except OSError:  # it has ended
            return False
        finally:
            os.close(file)


def _settle(
    look: Callable[[], T | None], file: int, context: T, choose: Callable[[T, int], int | None]
) -> bool:
    """Write, and look again: the thread may have changed its class in between, without seeing the value."""
    before_ns = now_ns = _read(file)
    for _ in range(_LOOKS):
        wanted_ns = choose(context, now_ns)
        if wanted_ns is None or wanted_ns == now_ns:
            break
        _write(file, wanted_ns)
        now_ns = wanted_ns
        again = look()
        if again is None:
            break
        if not again.slack_ns:  # it left its class before it saw the value: nobody would give it back
            _write(file, context.slack_ns)
            now_ns = context.slack_ns
            break
        context = again
    return now_ns != before_ns


def _read(file: int) -> int:
    return int(os.pread(file, 32, 0))


def _write(file: int, slack_ns: int) -> None:
    os.write(file, b"%d" % slack_ns)  # the kernel refuses pwrite() to such files
