# SPDX-License-Identifier: GPL-2.0-only
"""Each check by itself: evidence in, finding out; and the exit code of all."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from schedctl import __version__
from schedctl.doctor.evidence import Evidence, Finding, Folder, Result, Selection, UnitState
from schedctl.doctor.examine import CHECKS, examine, exit_code
from schedctl.errors import HostError, InternalError, MissingError, StateError
from schedctl.image.abi import ABI_VERSION
from schedctl.kernel.protocol import Quota
from schedctl.kernel.surroundings import Pins
from schedctl.profile.model import CpuMax
from schedctl.resolve.facts import HostFacts, KernelFacts
from schedctl.resolve.match import SchedPolicy, Thread

KERNEL = KernelFacts(
    release="7.3.4", sched_ext="enabled", ops="schedctl", btf=True, bpf_lsm=True, ext_server=True
)
FIT = Evidence(
    facts=HostFacts(kernel=KERNEL),
    libbpf="1.5",
    lockdown="none",
    ours=True,
    layout=ABI_VERSION,
    pins=Pins(("link", "maps/policy")),
    selection=Selection("desktop", CpuMax.REFUSE),
    rt_runtime_us=950_000,
    folders=(Folder("/run/schedctl"), Folder("/var/lib/schedctl")),
    unit=UnitState("loaded", "active", "enabled", "success"),
    daemon=True,
    daemon_answers=True,
    daemon_version=__version__,
)
QUOTA = Quota("/system.slice/a.service", 50_000, 100_000, "a.service")
FIFO = (7, Thread(b"audio", policy=SchedPolicy.FIFO))
KTHREAD = (8, Thread(b"migration/0", policy=SchedPolicy.FIFO, kthread=True))


def test_a_fit_machine() -> None:
    findings = examine(FIT)
    assert {found.result for found in findings} == {Result.OK}
    assert exit_code(findings) == 0
    # every check but the one of what was not seen says something, also where all is well
    assert len({found.check for found in findings}) == len(CHECKS) - 1


CASES: list[tuple[str, dict[str, Any], str, Result, int, str]] = [
    (
        "no sched_ext",
        {"refused": {"sched_ext": HostError("no sched_ext", "use 7.x")}},
        "sched_ext",
        Result.PROBLEM,
        69,
        "use 7.x",
    ),
    ("off", {"refused": {"command-line": HostError("schedctl=off")}}, "command-line", Result.PROBLEM, 69, ""),
    ("no BTF", {"refused": {"btf": HostError("no BTF")}}, "btf", Result.PROBLEM, 69, ""),
    ("old libbpf", {"refused": {"libbpf": HostError("too old")}}, "libbpf", Result.PROBLEM, 69, ""),
    ("no bpffs", {"refused": {"bpffs": HostError("none")}}, "bpffs", Result.PROBLEM, 69, ""),
    ("isolated", {"refused": {"isolcpus": HostError("CPUs 1")}}, "isolcpus", Result.PROBLEM, 69, ""),
    (
        "another version's object",
        {"refused": {"object": InternalError("differs")}},
        "object",
        Result.PROBLEM,
        70,
        "",
    ),
    ("an older scheduler runs", {"layout": ABI_VERSION - 1}, "object", Result.WARNING, 0, "schedctl apply"),
    ("locked down", {"lockdown": "confidentiality"}, "lockdown", Result.PROBLEM, 69, "boot without"),
    (
        "another scheduler",
        {"foreign": "scx_lavd", "ours": False, "pins": None},
        "scheduler",
        Result.PROBLEM,
        75,
        "stop it",
    ),
    ("ejected", {"ours": False, "last_exit": "stall"}, "pins", Result.WARNING, 0, "schedctl apply"),
    (
        "stale maps",
        {"ours": False, "pins": Pins(("maps/policy",))},
        "pins",
        Result.WARNING,
        0,
        "schedctl detach",
    ),
    ("open pins", {"pins": Pins(("link",), 0o755)}, "pins", Result.WARNING, 0, "chmod 700"),
    ("foreign pins", {"pins": Pins(("link",), 0o700, 1000)}, "pins", Result.PROBLEM, 73, "chown root"),
    ("pins for all", {"pins": Pins(("link",), 0o777)}, "pins", Result.PROBLEM, 73, "chmod 700"),
    ("a quota that is refused", {"quotas": (QUOTA,)}, "quotas", Result.PROBLEM, 69, "cpu_max: ignore"),
    (
        "a quota that is lost",
        {"quotas": (QUOTA,), "selection": Selection("a", CpuMax.IGNORE)},
        "quotas",
        Result.WARNING,
        0,
        "schedctl plan",
    ),
    (
        "a quota, no profile",
        {"quotas": (QUOTA,), "selection": Selection()},
        "quotas",
        Result.WARNING,
        0,
        "schedctl plan",
    ),
    ("tuned", {"managers": ("tuned",)}, "conflicts", Result.WARNING, 0, "profile"),
    ("scx_lavd", {"managers": ("scx_lavd",)}, "conflicts", Result.WARNING, 0, "stop it"),
    ("SCHED_FIFO", {"rivals": (FIFO,)}, "classes", Result.NOTE, 0, "schedctl plan"),
    ("no throttling", {"rt_runtime_us": -1}, "rt-throttling", Result.WARNING, 0, "sysctl"),
    (
        "no ext server",
        {"facts": HostFacts(kernel=replace(KERNEL, ext_server=False))},
        "deadline",
        Result.NOTE,
        0,
        "",
    ),
    (
        "read-only",
        {"folders": (Folder("/var/lib/schedctl", writable=False),)},
        "state",
        Result.PROBLEM,
        73,
        "mount",
    ),
    (
        "full",
        {"folders": (Folder("/var/lib/schedctl", free=False),)},
        "state",
        Result.PROBLEM,
        73,
        "make room",
    ),
    (
        "not ours",
        {"folders": (Folder("/run/schedctl", untrusted=StateError("others may", "chmod")),)},
        "state",
        Result.PROBLEM,
        73,
        "chmod",
    ),
    (
        "no such profile",
        {"selection": Selection(error=MissingError("no profile"))},
        "profile",
        Result.PROBLEM,
        66,
        "validate",
    ),
    ("nothing selected", {"selection": Selection()}, "profile", Result.NOTE, 0, "schedctl apply"),
    ("no systemd", {"unit": None}, "unit", Result.NOTE, 0, ""),
    ("no unit", {"unit": UnitState()}, "unit", Result.NOTE, 0, "install"),
    (
        "a failed unit",
        {"unit": UnitState("loaded", "failed", "enabled", "watchdog")},
        "unit",
        Result.WARNING,
        0,
        "journalctl",
    ),
    (
        "a stopped unit",
        {"unit": UnitState("loaded", "inactive", "disabled")},
        "unit",
        Result.NOTE,
        0,
        "enable --now",
    ),
    (
        "not after a boot",
        {"unit": UnitState("loaded", "active", "disabled")},
        "unit",
        Result.NOTE,
        0,
        "enable",
    ),
    ("a silent daemon", {"daemon_answers": False}, "daemon", Result.WARNING, 0, "restart"),
    ("another daemon", {"daemon_version": "0.0.1"}, "daemon", Result.WARNING, 0, "restart"),
    ("an old daemon", {"daemon_version": None}, "daemon", Result.WARNING, 0, "restart"),
    ("a stranger", {"strangers": ("/opt/bin/schedctl",)}, "path", Result.WARNING, 0, "path"),
    ("a plain user", {"root": False}, "root", Result.NOTE, 0, "root"),
]


@pytest.mark.parametrize(
    ("change", "check", "result", "code", "hint"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_one_thing_is_wrong(change: dict[str, Any], check: str, result: Result, code: int, hint: str) -> None:
    findings = examine(replace(FIT, **change))
    (found,) = [found for found in findings if found.result is not Result.OK and found.check == check]
    assert found.result is result
    assert hint in (found.hint or "")
    assert found.message.count("\n") == 0
    assert exit_code(findings) == code


def test_every_field_of_the_evidence_is_looked_at() -> None:
    changed = {name for case in CASES for name in case[1]}
    said_by_ok = {"libbpf", "daemon"}
    assert {field.name for field in fields(Evidence)} == changed | said_by_ok


def test_kernel_threads_are_not_programs() -> None:
    assert {found.result for found in examine(replace(FIT, rivals=(KTHREAD,)))} == {Result.OK}


def test_what_the_host_lacks_comes_first() -> None:
    change: dict[str, Any] = {"foreign": "scx_lavd", "refused": {"libbpf": HostError("too old")}}
    assert exit_code(examine(replace(FIT, **change))) == 69


def test_an_unfit_finding_has_its_code() -> None:
    assert (
        exit_code([Finding("a", Result.WARNING, "m", None, 75), Finding("b", Result.PROBLEM, "m", None, 73)])
        == 73
    )
