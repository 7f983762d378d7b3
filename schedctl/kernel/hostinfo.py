# SPDX-License-Identifier: GPL-2.0-only
"""This host's facts: topology and features from /sys and /proc, accounts, who sits at a seat.

Nothing here needs root. What a file does not say gets the value of a host without it.
"""

from __future__ import annotations

import functools
import grp
import os
import pwd
import re
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from schedctl.errors import HostError
from schedctl.image import index
from schedctl.kernel import sysfs
from schedctl.kernel.deadline import reserved
from schedctl.kernel.seats import active_seat
from schedctl.kernel.sysfs import parse_list
from schedctl.profile.model import MAX_CLASSES, UNIT_SUFFIXES
from schedctl.resolve.accounts import Names
from schedctl.resolve.facts import Cpu, Group, HostFacts, KernelFacts
from schedctl.resolve.match import Thread

SYS = Path("/sys")
CPUINFO = Path("/proc/cpuinfo")
UNITS = (
    Path("/etc/systemd/system"),
    Path("/run/systemd/system"),
    Path("/run/systemd/generator"),
    Path("/usr/lib/systemd/system"),
    Path("/lib/systemd/system"),
)
_VIRT_S = 5
_CLOCK_MONOTONIC_COARSE = 6


def read_facts(names: Names, tags: Iterable[str] = (), virt: bool = True) -> HostFacts:
    """All facts; of users root and the named ones that exist, of groups the named ones.

    Units are read where at least one is named. Without `virt` no program is started to ask for that.
    """
    return HostFacts(
        hostname=os.uname().nodename,
        virt=_virt() if virt else "",
        tags=tuple(tags),
        kernel=_kernel(),
        cpus=read_cpus(SYS),
        limits=limits(),
        users=_users(names.users | {"root"}),
        groups=_groups(names.groups),
        active_seat=active_seat(),
        units=_units() if names.units else (),
    )


def with_deadlines(facts: HostFacts, threads: Iterable[tuple[int, Thread]]) -> HostFacts:
    """With what the SCHED_DEADLINE threads among these, (TID, thread), have reserved."""
    return replace(facts, kernel=replace(facts.kernel, deadline_bandwidth=str(reserved(threads))))


def local_names() -> Names:
    """Every user and group that the databases enumerate, the local ones and what directories show; units."""
    return Names(
        frozenset(user.pw_name for user in pwd.getpwall()),
        frozenset(group.gr_name for group in grp.getgrall()),
        frozenset(_units()),
    )


def limits() -> dict[str, int]:
    """What one policy can hold; classes are those beside 'default'."""
    return {
        "classes": MAX_CLASSES - 1,
        "rules": index.MAX_RULES,
        "pattern_bytes": index.PATTERN_LEN - 1,
    }


# --- topology -------------------------------------------------------------------------------------


def read_cpus(sys: Path) -> tuple[Cpu, ...]:
    """The CPUs that are online."""
    root = sys / "devices/system/cpu"
    isolated = parse_list(_text(root / "isolated"))
    return tuple(
        _cpu(root / f"cpu{number}", number, number in isolated)
        for number in parse_list(_text(root / "online"))
    )


def _cpu(directory: Path, number: int, isolated: bool) -> Cpu:
    siblings = parse_list(
        _text(directory / "topology/core_cpus_list") or _text(directory / "topology/thread_siblings_list")
    )
    package = _text(directory / "topology/physical_package_id")
    nodes = [path.name[4:] for path in _numbered(directory, "node")]
    return Cpu(
        number,
        core=min(siblings, default=number),
        llc=_llc(directory / "cache", default=int(package) if package.isdecimal() else 0),
        node=int(nodes[0]) if nodes else 0,
        isolated=isolated,
    )


def _llc(caches: Path, default: int) -> int:
    """The lowest CPU that shares the last cache; where no cache is described, the package."""
    found = [
        (int(level), min(shared))
        for index in _numbered(caches, "index")
        if (level := _text(index / "level")).isdecimal()
        and (shared := parse_list(_text(index / "shared_cpu_list")))
    ]
    return max(found)[1] if found else default


def _numbered(directory: Path, name: str) -> list[Path]:
    """`name` with a number; a glob takes longer, and there are some for each CPU."""
    with suppress(OSError):
        found = os.listdir(directory)
        return [directory / one for one in found if one.startswith(name) and one[len(name) :].isdecimal()]
    return []


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


# --- kernel ---------------------------------------------------------------------------------------


def _kernel() -> KernelFacts:
    state = ops = None
    with suppress(HostError):
        found = sysfs.read_state(sysfs.SCHED_EXT)
        state, ops = found.state, found.ops
    release = os.uname().release
    return KernelFacts(
        release=release,
        sched_ext=state,
        ops=ops,
        btf=sysfs.BTF.exists(),
        bpf_lsm="bpf" in _text(SYS / "kernel/security/lsm").split(","),
        cgroup2=(SYS / "fs/cgroup/cgroup.controllers").exists(),
        hz=_hz(),
        isolcpus=sysfs.isolcpus(),
        ext_server=_ext_server(SYS / "kernel/debug/sched"),
    )


def _hz() -> int:
    """Ticks per second: the coarse clock moves once in each."""
    return round(1 / time.clock_getres(_CLOCK_MONOTONIC_COARSE))


def _ext_server(debug: Path) -> bool | None:
    """debugfs is root's alone, and may not be mounted."""
    try:
        return "ext_server" in os.listdir(debug)
    except OSError:
        return None


@functools.cache
def _virt() -> str:
    """systemd's word: none, kvm, lxc, …; vm-other where only the CPU says so."""
    import subprocess  # as slow as a small verb

    try:
        result = subprocess.run(
            ["systemd-detect-virt"], capture_output=True, text=True, check=False, timeout=_VIRT_S
        )
        if word := result.stdout.strip():
            return word
    except (OSError, subprocess.SubprocessError):
        pass
    return (
        "vm-other" if re.search(r"^flags\s.*\bhypervisor\b", _text(Path("/proc/cpuinfo")), re.M) else "none"
    )


# --- accounts -------------------------------------------------------------------------------------


def _users(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        with suppress(KeyError):
            found[name] = pwd.getpwnam(name).pw_uid
    return found


def _units() -> tuple[str, ...]:
    """The unit files of the system manager, in all folders of its load path that packages and people use."""
    found: set[str] = set()
    for folder in UNITS:
        with suppress(OSError):
            found.update(name for name in os.listdir(folder) if name.endswith(UNIT_SUFFIXES))
    return tuple(sorted(found))


def _groups(names: Collection[str]) -> dict[str, Group]:
    primary: dict[int, set[int]] = {}
    for user in pwd.getpwall() if names else ():  # slow where a directory lists thousands
        primary.setdefault(user.pw_gid, set()).add(user.pw_uid)
    found: dict[str, Group] = {}
    for name in names:
        with suppress(KeyError):
            entry = grp.getgrgid(int(name)) if name.isdecimal() else grp.getgrnam(name)
            members = primary.get(entry.gr_gid, set()) | set(_users(entry.gr_mem).values())
            found[entry.gr_name] = Group(entry.gr_gid, tuple(sorted(members)))
    return found
