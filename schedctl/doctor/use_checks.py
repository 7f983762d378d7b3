# SPDX-License-Identifier: GPL-2.0-only
"""Checks of what else runs on this machine, and of schedctl's own state: evidence in, findings out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from schedctl.doctor.evidence import OUTSIDE_POLICIES, Evidence, Finding, Result
from schedctl.errors import EXIT_OK, HostError, Problem, StateError
from schedctl.harm import host_warnings, lost_quotas, quota_line, refuse_quotas
from schedctl.inquiry import other_version
from schedctl.printable import shown

_NAMES_SHOWN = 5
_MANAGES = {
    "scx_loader": ("attaches sched_ext schedulers on its own", "systemctl disable --now scx_loader"),
    "ananicy": (
        "sets nice values and scheduling classes by its own rules",
        "systemctl disable --now ananicy",
    ),
    "ananicy-cpp": (
        "sets nice values and scheduling classes by its own rules",
        "systemctl disable --now ananicy-cpp",
    ),
    "gamemoded": (
        "sets nice values and scheduling classes of games",
        "leave `renice` and `softrealtime` off",
    ),
    "tuned": ("may set scheduling classes and affinities", "choose a profile without a [scheduler] section"),
}


def quotas(seen: Evidence) -> Iterator[Finding]:
    """CPU quotas that an attach loses, by what the selected profile says of them."""
    if not seen.quotas:
        yield Finding("quotas", Result.OK, "no cgroup has a CPU quota")
        return
    cpu_max = seen.selection.cpu_max
    first = quota_line(seen.quotas[0])
    try:
        if cpu_max is not None:
            refuse_quotas(seen.quotas, cpu_max)
    except HostError as error:
        message = f"{error.message}, and the selected profile refuses to lose any; the first is {first}"
        yield Finding("quotas", Result.PROBLEM, message, error.hint, error.exit_code)
        return
    lost = next(iter(lost_quotas(seen.quotas, cpu_max)), None) if cpu_max is not None else None
    count = len(seen.quotas)
    message = lost.message if lost else f"{count} cgroups have CPU quotas, which an attach would lose"
    yield Finding(
        "quotas", Result.WARNING, f"{message}; the first is {first}", "`schedctl plan` lists each of them"
    )


def managers(seen: Evidence) -> Iterator[Finding]:
    for name in seen.managers:
        what, hint = _MANAGES.get(
            name, ("is a sched_ext scheduler", f"stop it before `schedctl apply`: {name}")
        )
        yield Finding("conflicts", Result.WARNING, f"{shown(name)} runs: it {what}", hint)
    if not seen.managers:
        yield Finding("conflicts", Result.OK, "no other program that manages scheduling runs")


def other_classes(seen: Evidence) -> Iterator[Finding]:
    """Threads that the kernel runs before every thread of ours."""
    found = [thread for _, thread in seen.rivals if not thread.kthread]
    counts = Counter(thread.policy for thread in found)
    if not found:
        yield Finding("classes", Result.OK, "no program uses SCHED_FIFO, SCHED_RR or SCHED_DEADLINE")
        return
    said = ", ".join(f"{counts[policy]} {policy.value}" for policy in OUTSIDE_POLICIES if counts[policy])
    names = sorted({shown(thread.comm) for thread in found})
    more = f" and {len(names) - _NAMES_SHOWN} more names" if len(names) > _NAMES_SHOWN else ""
    yield Finding(
        "classes",
        Result.NOTE,
        f"threads of programs that always run before every class: {said}"
        f" ({', '.join(names[:_NAMES_SHOWN])}{more})",
        "`schedctl plan` names those that a rule matches",
    )


def rt_throttling(seen: Evidence) -> Iterator[Finding]:
    if seen.rt_runtime_us == -1:
        yield Finding(
            "rt-throttling",
            Result.WARNING,
            "real-time throttling is off: a SCHED_FIFO thread that never sleeps may keep its CPU for ever",
            "sysctl kernel.sched_rt_runtime_us=950000",
        )
    elif seen.rt_runtime_us is not None:
        us = seen.rt_runtime_us
        yield Finding(
            "rt-throttling",
            Result.OK,
            f"SCHED_FIFO and SCHED_RR get at most {us} us of each kernel.sched_rt_period_us",
        )


def host(seen: Evidence) -> Iterator[Finding]:
    """Bandwidth of SCHED_DEADLINE, and the kernel's ext server: what plan and apply say too."""
    said = [_from_problem("deadline", problem) for problem in host_warnings(seen.facts)]
    yield from said or [Finding("deadline", Result.OK, "SCHED_DEADLINE leaves room for sched_ext")]


def folders(seen: Evidence) -> Iterator[Finding]:
    for folder in seen.folders:
        if folder.untrusted:
            error = folder.untrusted
            yield Finding("state", Result.PROBLEM, error.message, error.hint, StateError.exit_code)
        elif not folder.writable:
            message, hint = f"{folder.path} cannot be written", "mount it writable"
            yield Finding("state", Result.PROBLEM, message, hint, StateError.exit_code)
        elif not folder.free:
            message, hint = f"the disk of {folder.path} is full", "make room"
            yield Finding("state", Result.PROBLEM, message, hint, StateError.exit_code)
        else:
            yield Finding("state", Result.OK, f"{folder.path} can be used")


def selection(seen: Evidence) -> Iterator[Finding]:
    found = seen.selection
    if found.error:
        error = found.error
        first = error.problems[0] if error.problems else None
        place = (
            f"{shown(first.file)}:{first.line}: {first.message}" if first and first.file else error.message
        )
        message = f"the selected profile cannot be used: {place}"
        yield Finding(
            "profile", Result.PROBLEM, message, error.hint or "`schedctl validate`", error.exit_code
        )
    elif found.profile is None:
        message, hint = "no profile is selected", "`schedctl list`, then `schedctl apply NAME`"
        yield Finding("profile", Result.NOTE, message, hint)
    else:
        yield Finding("profile", Result.OK, f"the selected profile {found.profile} can be used")


def unit(seen: Evidence) -> Iterator[Finding]:
    """The daemon: nothing attaches or detaches for want of it, but nothing is followed either."""
    found = seen.unit
    if found is None:
        yield Finding("unit", Result.NOTE, "no systemd here: nothing keeps schedctld running")
    elif found.load != "loaded":
        message = f"schedctld.service is {found.load}: no edit is followed, no timer slack is set"
        yield Finding("unit", Result.NOTE, message, "install the package")
    elif found.active == "failed":
        message = f"schedctld.service has failed ({found.result}){_status(found.status)}"
        yield Finding("unit", Result.WARNING, message, "journalctl -u schedctld")
    elif found.active != "active":
        message = (
            f"schedctld.service is {found.active}, {found.file}: no edit is followed, no timer slack set"
        )
        yield Finding("unit", Result.NOTE, message, "systemctl enable --now schedctld")
    elif found.file not in ("enabled", "enabled-runtime"):
        message = f"schedctld.service runs, but is {found.file}: after a boot nothing is attached"
        yield Finding("unit", Result.NOTE, message, "systemctl enable schedctld")
    else:
        yield Finding("unit", Result.OK, "schedctld.service runs, also after a boot")


def daemon(seen: Evidence) -> Iterator[Finding]:
    if seen.daemon and seen.daemon_answers is False:
        yield Finding(
            "daemon",
            Result.WARNING,
            "schedctld runs but does not answer",
            "its watchdog restarts it within a minute; else `systemctl restart schedctld`",
        )
    elif seen.daemon and (said := other_version(seen.daemon_version)):
        yield Finding(
            "daemon", Result.WARNING, said, "`systemctl restart schedctld`; what is attached stays attached"
        )
    elif seen.daemon:
        yield Finding("daemon", Result.OK, "schedctld runs, answers, and is of this command's version")


def strangers(seen: Evidence) -> Iterator[Finding]:
    for path in seen.strangers:
        yield Finding(
            "path",
            Result.WARNING,
            f"{shown(path)} is another program of the same name",
            "call this one by its path, or remove the other package",
        )
    if not seen.strangers:
        yield Finding("path", Result.OK, "no other program called schedctl is in PATH")


def privilege(seen: Evidence) -> Iterator[Finding]:
    if not seen.root:
        yield Finding(
            "root",
            Result.NOTE,
            "not seen without root: pins, the last exit, the running policy, the ext server",
            "run it as root for the whole picture",
        )


def _status(text: str) -> str:
    return f": {shown(text)}" if text else ""


def _from_problem(check: str, problem: Problem) -> Finding:
    result = Result.NOTE if problem.severity == "note" else Result.WARNING
    return Finding(check, result, problem.message, problem.hint, EXIT_OK)
