# SPDX-License-Identifier: GPL-2.0-only
"""Checks of the kernel and of what an attach needs: evidence in, findings out."""

from __future__ import annotations

from collections.abc import Iterator

from schedctl.doctor.evidence import Evidence, Finding, Need, Result
from schedctl.errors import EXIT_OK, ConflictError, HostError, StateError
from schedctl.image.abi import ABI_VERSION

_TOO_STRICT = "confidentiality"


def sched_ext(seen: Evidence) -> Iterator[Finding]:
    kernel = seen.facts.kernel
    yield _need(seen, "sched_ext", f"Linux {kernel.release} has sched_ext (its state: {kernel.sched_ext})")


def command_line(seen: Evidence) -> Iterator[Finding]:
    yield _need(seen, "command-line", "the kernel command line does not turn schedctl off")


def btf(seen: Evidence) -> Iterator[Finding]:
    yield _need(seen, "btf", "the kernel describes its types (BTF)")


def lsm(seen: Evidence) -> Iterator[Finding]:
    state = "active" if seen.facts.kernel.bpf_lsm else "not active"
    yield Finding("bpf-lsm", Result.OK, f"the BPF LSM is {state}, and schedctl works with and without it")


def lockdown(seen: Evidence) -> Iterator[Finding]:
    if seen.lockdown == _TOO_STRICT:
        yield Finding(
            "lockdown",
            Result.PROBLEM,
            f"the kernel is locked down ({_TOO_STRICT}): no BPF program may read its memory",
            "boot without `lockdown=confidentiality`; `integrity` does not matter",
            HostError.exit_code,
        )
    else:
        state = seen.lockdown or "none that can be seen"
        yield Finding("lockdown", Result.OK, f"kernel lockdown: {state}")


def libbpf(seen: Evidence) -> Iterator[Finding]:
    yield _need(seen, "libbpf", f"libbpf {seen.libbpf} is new enough")


def bpf_file_system(seen: Evidence) -> Iterator[Finding]:
    yield _need(seen, "bpffs", "a BPF file system is mounted at /sys/fs/bpf")


def bpf_object(seen: Evidence) -> Iterator[Finding]:
    """The object on disk, and the one that runs, against this command's layout."""
    yield _need(seen, "object", f"the scheduler's object has this command's layout ({ABI_VERSION})")
    if seen.layout is not None and seen.layout != ABI_VERSION:
        yield Finding(
            "object",
            Result.WARNING,
            f"the scheduler that runs has layout {seen.layout}: it is another version's",
            "`schedctl apply` replaces it",
        )


def isolated_cpus(seen: Evidence) -> Iterator[Finding]:
    yield _need(seen, "isolcpus", "no CPU is isolated by isolcpus=")


def other_scheduler(seen: Evidence) -> Iterator[Finding]:
    if seen.foreign:
        yield Finding(
            "scheduler",
            Result.PROBLEM,
            f"another sched_ext scheduler is attached: {seen.foreign}",
            "stop it first; `schedctl apply` leaves it alone, `schedctl apply --takeover` ends it",
            ConflictError.exit_code,
        )
    else:
        state = "schedctl's scheduler is attached" if seen.ours else "no sched_ext scheduler is attached"
        yield Finding("scheduler", Result.OK, state)


def pins(seen: Evidence) -> Iterator[Finding]:
    """What an ended scheduler left in bpffs, and who may reach what is there."""
    if seen.pins is None:
        return
    if seen.pins.owner or seen.pins.mode & 0o077:
        foreign = seen.pins.owner or seen.pins.mode & 0o022
        yield Finding(
            "pins",
            Result.PROBLEM if foreign else Result.WARNING,
            f"/sys/fs/bpf/schedctl belongs to uid {seen.pins.owner} with mode {seen.pins.mode:04o}:"
            f" others may {'change' if foreign else 'reach'} what is pinned there",
            "chown root: /sys/fs/bpf/schedctl; chmod 700 /sys/fs/bpf/schedctl",
            StateError.exit_code if foreign else EXIT_OK,
        )
    if seen.pins.names and not seen.ours:
        why = f": {seen.last_exit}" if seen.last_exit else ""
        what = "a scheduler of schedctl has ended without it" if seen.pins.link else "stale pins are left"
        yield Finding(
            "pins",
            Result.WARNING,
            f"{what}{why}; its pins are still in /sys/fs/bpf/schedctl",
            "`schedctl apply` attaches anew, `schedctl detach` only cleans up",
        )
    elif not seen.pins.owner and not seen.pins.mode & 0o077:
        yield Finding("pins", Result.OK, "no pins are stale")


def _need(seen: Evidence, need: Need, fine: str) -> Finding:
    error = seen.refused.get(need)
    if error is None:
        return Finding(need, Result.OK, fine)
    return Finding(need, Result.PROBLEM, error.message, error.hint, error.exit_code)
