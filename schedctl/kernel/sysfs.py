# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel says of itself in /sys and /proc; readable without root."""

from __future__ import annotations

import re
from pathlib import Path

from schedctl.errors import ApplyError, HostError
from schedctl.harm import isolated
from schedctl.kernel.protocol import DISABLED, SchedState

SCHED_EXT = Path("/sys/kernel/sched_ext")
BTF = Path("/sys/kernel/btf/vmlinux")
CPUS = Path("/sys/devices/system/cpu")
COMMAND_LINE = Path("/proc/cmdline")
SYSRQ = Path("/proc/sysrq-trigger")
OFF_WORD = "schedctl=off"


def read_state(directory: Path = SCHED_EXT) -> SchedState:
    """HostError without sched_ext."""
    try:
        state = (directory / "state").read_text().strip()
        enable_seq = int((directory / "enable_seq").read_text())
    except FileNotFoundError:
        raise HostError(
            "this kernel has no sched_ext",
            "use Linux 7.x built with CONFIG_SCHED_CLASS_EXT=y"
            " (check: ls /sys/kernel/sched_ext; Debian 13 has such a kernel in trixie-backports)",
        ) from None
    return SchedState(state, None if state == DISABLED else _ops(directory), enable_seq)


def _ops(directory: Path) -> str | None:
    """The attached scheduler's name; it may leave between two reads."""
    try:
        return (directory / "root" / "ops").read_text().strip() or None
    except OSError:
        return None


def read_events(directory: Path = SCHED_EXT) -> dict[str, int]:
    """What the kernel counted of the attached scheduler, by its own names without SCX_EV_; {} without one."""
    try:
        lines = (directory / "root" / "events").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0].removeprefix("SCX_EV_"): int(pair[1]) for pair in pairs if len(pair) == 2}


def parse_list(text: str) -> tuple[int, ...]:
    """ "0-2,8" -> (0, 1, 2, 8)."""
    numbers: list[int] = []
    for part in text.split(","):
        if match := re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip()):
            numbers.extend(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(numbers)


def possible_cpus() -> tuple[int, ...]:
    return parse_list((CPUS / "possible").read_text())


def isolcpus() -> str | None:
    """The CPUs that isolcpus= took out of the scheduling domains at boot; None without."""
    if not any(word.startswith("isolcpus=") for word in COMMAND_LINE.read_text().split()):
        return None
    return (CPUS / "isolated").read_text().strip() or None


def check_isolation() -> None:
    if (cpus := isolcpus()) is not None:
        raise isolated(cpus)


def check_btf() -> None:
    if not BTF.exists():
        raise HostError(f"this kernel has no {BTF}", "use one built with CONFIG_DEBUG_INFO_BTF=y")


def check_not_off() -> None:
    """The way out on the kernel command line holds for everything that attaches."""
    if OFF_WORD in COMMAND_LINE.read_text().split():
        raise HostError(f"{OFF_WORD} is on the kernel command line", "boot without it to use schedctl again")


def end_by_sysrq() -> None:
    """The kernel's own way out of any sched_ext scheduler; returns before it has ended. ApplyError."""
    try:
        SYSRQ.write_text("S")
    except OSError as error:
        raise ApplyError(
            f"cannot write {SYSRQ}: {error.strerror}", "stop the other scheduler first"
        ) from error
