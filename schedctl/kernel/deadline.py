# SPDX-License-Identifier: GPL-2.0-only
"""What SCHED_DEADLINE threads have reserved, from each of them: the kernel's own sum is root's alone."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from fractions import Fraction

from schedctl.resolve.match import SchedPolicy, Thread

# By `uname -m`; the others have no threads of that policy for us.
_SCHED_GETATTR = {
    "x86_64": 315,
    "aarch64": 275,
    "riscv64": 275,
    "loongarch64": 275,
    "ppc64le": 356,
    "s390x": 346,
}


class _SchedAttr(ctypes.Structure):
    """struct sched_attr, its first version."""

    _fields_ = [
        ("size", ctypes.c_uint32),
        ("sched_policy", ctypes.c_uint32),
        ("sched_flags", ctypes.c_uint64),
        ("sched_nice", ctypes.c_int32),
        ("sched_priority", ctypes.c_uint32),
        ("sched_runtime", ctypes.c_uint64),
        ("sched_deadline", ctypes.c_uint64),
        ("sched_period", ctypes.c_uint64),
    ]


def reserved(threads: Iterable[tuple[int, Thread]]) -> Fraction:
    """In CPUs, in thousandths rounded up; `threads` are (TID, thread)."""
    tids = (tid for tid, thread in threads if thread.policy is SchedPolicy.DEADLINE)
    shares = sum(map(_share, tids), Fraction())
    return Fraction(-(-shares * 1000 // 1), 1000)


def _share(tid: int) -> Fraction:
    number = _SCHED_GETATTR.get(os.uname().machine)
    found = _SchedAttr()
    size = ctypes.sizeof(found)
    if number is None or ctypes.CDLL(None).syscall(number, tid, ctypes.byref(found), size, 0) != 0:
        return Fraction()
    period = found.sched_period or found.sched_deadline
    return Fraction(found.sched_runtime, period) if period else Fraction()
