# SPDX-License-Identifier: GPL-2.0-only
"""Gathers the evidence on this machine. Works without root, and then sees less."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from schedctl import paths
from schedctl.choice import chosen, loader, settings
from schedctl.doctor.evidence import Evidence, Folder, Need, Selection, UnitState
from schedctl.errors import SchedctlError, StateError
from schedctl.image import abi
from schedctl.inquiry import ask
from schedctl.kernel import libbpf, surroundings, sysfs
from schedctl.kernel.hostinfo import read_facts, with_deadlines
from schedctl.kernel.procfs import rivals
from schedctl.kernel.real import BPFFS, RealKernel, check_bpffs
from schedctl.observe import Observation, observe
from schedctl.ownership import check_ours
from schedctl.presence import daemon_runs
from schedctl.reconcile import resolved_here
from schedctl.resolve.accounts import Names
from schedctl.resolve.facts import HostFacts

UNIT = "schedctld.service"
_SYSTEMD_S = 5
_DAEMON_S = 2.0  # `status` is shown again and again, and does not wait so long
_PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "Result", "StatusText")
_SCRIPT = b"#!"
_MARK = b"schedctl.cli.main"


def look() -> Evidence:
    kernel = RealKernel()
    outside = rivals()
    tags: tuple[str, ...] = ()
    with suppress(SchedctlError):
        tags = settings().tags
    facts = with_deadlines(read_facts(Names(), tags), outside)
    observation = _observation(kernel)
    running = daemon_runs()
    told = ask(_DAEMON_S) if running else None
    return Evidence(
        facts=facts,
        root=os.geteuid() == 0,
        refused=dict(_refused()),
        libbpf=_libbpf(),
        lockdown=surroundings.lockdown(),
        foreign=_foreign(kernel),
        ours=_ours(kernel),
        layout=observation.live.abi_version if observation and observation.live else None,
        pins=surroundings.read_pins(BPFFS / "schedctl"),
        last_exit=observation.last_exit.text if observation and observation.last_exit else None,
        quotas=kernel.quotas(),
        selection=_selection(facts),
        rivals=outside,
        rt_runtime_us=surroundings.rt_runtime_us(),
        managers=surroundings.scheduling_managers(),
        folders=tuple(_folders()),
        unit=_unit(),
        daemon=running,
        daemon_answers=told is not None if running else None,
        daemon_version=told.version if told else None,
        strangers=tuple(_strangers()),
    )


def _refused() -> Iterator[tuple[Need, SchedctlError]]:
    """In the words of the functions that refuse, each asked by itself."""
    needs: dict[Need, Callable[[], object]] = {
        "sched_ext": sysfs.read_state,
        "command-line": sysfs.check_not_off,
        "btf": sysfs.check_btf,
        "libbpf": libbpf.library,
        "isolcpus": sysfs.check_isolation,
        "bpffs": check_bpffs,
        "object": lambda: abi.check_object(paths.bpf_object()),
    }
    for need, check in needs.items():
        try:
            check()
        except SchedctlError as error:
            yield need, error


def _libbpf() -> str | None:
    try:
        return libbpf.version()
    except SchedctlError:
        return None


def _foreign(kernel: RealKernel) -> str | None:
    try:
        return kernel.sched_state().foreign
    except SchedctlError:
        return None


def _ours(kernel: RealKernel) -> bool:
    try:
        return kernel.sched_state().ours
    except SchedctlError:
        return False


def _observation(kernel: RealKernel) -> Observation | None:
    """None without sched_ext, or where what is pinned cannot be read."""
    try:
        return observe(kernel)
    except SchedctlError:
        return None


def _selection(facts: HostFacts) -> Selection:
    try:
        loaded = chosen(loader(lambda: facts))
        if loaded is None:
            return Selection()
        resolved_here(loaded.profile)
    except SchedctlError as error:
        return Selection(error=error)
    return Selection(loaded.profile.name, loaded.profile.policy.cpu_max)


def _folders() -> Iterator[Folder]:
    """Of those that are there: the first apply makes the others."""
    for path in (paths.run_dir(), paths.state_dir()):
        try:
            check_ours(path)
            room = os.statvfs(path)
        except StateError as error:
            yield Folder(str(path), untrusted=error)
            continue
        except OSError:
            continue
        writable = os.geteuid() != 0 or not room.f_flag & os.ST_RDONLY
        yield Folder(str(path), writable, free=room.f_bavail > 0)


def _unit() -> UnitState | None:
    """None where no systemd runs."""
    if not Path("/run/systemd/system").is_dir():
        return None
    try:
        text = subprocess.run(
            ["systemctl", "show", UNIT, f"--property={','.join(_PROPERTIES)}"],
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=_SYSTEMD_S,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return UnitState(*(found.get(name, "") for name in _PROPERTIES))


def _strangers() -> Iterator[str]:
    """Whatever a shell may start under this name and that does not start us; each file once."""
    seen = {os.path.realpath(sys.argv[0])}
    for folder in os.get_exec_path():
        path = shutil.which("schedctl", path=folder)
        if path and (real := os.path.realpath(path)) not in seen:
            seen.add(real)
            if not _starts_us(real):
                yield path


def _starts_us(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
    except OSError:
        return False
    return head.startswith(_SCRIPT) and _MARK in head
