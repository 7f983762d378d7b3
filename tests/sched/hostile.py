# SPDX-License-Identifier: GPL-2.0-only
"""The results of the load program `hostile`, typed, and what the kernel says should not have happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.conftest import Guest

EVENTS = "/sys/kernel/sched_ext/root/events"
# Somebody ran with a slice that the scheduler did not give, or went past its queues.
NEVER = (
    "SCX_EV_REFILL_SLICE_DFL",
    "SCX_EV_DISPATCH_KEEP_LAST",
    "SCX_EV_DISPATCH_LOCAL_DSQ_OFFLINE",
    "SCX_EV_ENQ_SKIP_EXITING",
    "SCX_EV_ENQ_SKIP_MIGRATION_DISABLED",
)


# docs/limits.md: who has waited this long runs next, behind those that came within an epoch before it
# and are not that old yet. All of them are done within a window.
MAX_WAIT_NS = 7_500_000_000
PROFILE = """
schedctl: 1
name: lab
policy: {fair_share: FAIR, background_share: 1%}
classes:
  hog: {match: [{comm: hog}], level: 7}
  other: {match: [{comm: renamed1}], tier: background}
"""
STORMS = ("fork:fork:1:-1:1000", "exec:exec:1:-1:1000", "exit")
# With the threads that each has.
TRICKS = {"yield": 1, "tick": 1, "affinity": 2, "nice": 2, "policy": 2, "batch": 1, "name": 1, "bpf": 1}


@dataclass(frozen=True, slots=True)
class Group:
    alive: int  # at the end
    operations: int
    cpu_ns: int  # with that of children
    longest_ns: int  # that one of these spinners did not run


@dataclass(frozen=True, slots=True)
class Load:
    groups: dict[str, Group]
    fair_ns: int  # of the tier, by the scheduler's statistics; 0 under another scheduler
    background_ns: int
    elapsed_ns: int

    def __getitem__(self, name: str) -> Group:
        return self.groups[name]


def profile(fair_share: str) -> str:
    return PROFILE.replace("FAIR", fair_share)


def hostile(guest: Guest, seconds: int, *groups: str, meanwhile: str = "") -> Load:
    """Groups "MODE[:NAME[:COUNT[:CPU[:UID]]]]" for SECONDS, beside a line of shell; see load/hostile.c."""
    words = [":".join(_filled(group.split(":"))) for group in groups]
    command = f"/root/hostile {seconds} {' '.join(words)}"
    if meanwhile:
        command = f"{command} > /root/out & load=$!; {meanwhile.strip()}; wait $load && cat /root/out"
    *lines, fair, background, elapsed = guest.sh(command, timeout=120 + 20 * seconds).splitlines()
    found = {name: Group(*map(int, numbers)) for name, *numbers in map(str.split, lines)}
    return Load(found, *(int(line.split()[1]) for line in (fair, background, elapsed)))


def _filled(words: list[str]) -> list[str]:
    return words + [words[0], "1", "-1", "0"][len(words) - 1 :]


def events(guest: Guest) -> dict[str, int]:
    """The kernel's own counts since the attach."""
    return {name: int(nr) for name, nr in map(str.split, guest.sh(f"cat {EVENTS}").splitlines())}


@contextmanager
def nothing_ejected(guest: Guest) -> Iterator[None]:
    """The same scheduler is attached before and after, and no thread went past it."""
    before, counts = guest.status(), events(guest)
    yield
    after = guest.status()
    assert after["last_exit"] is None, after["last_exit"]
    assert (after["state"], after["enable_seq"]) == ("enabled", before["enable_seq"])
    risen = {name: nr - counts[name] for name, nr in events(guest).items() if name in NEVER}
    assert not any(risen.values()), risen
