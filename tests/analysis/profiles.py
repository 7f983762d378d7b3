# SPDX-License-Identifier: GPL-2.0-only
"""Profiles resolved for a host with so many CPUs, for the tests of their analysis."""

from __future__ import annotations

from collections.abc import Sequence

from schedctl.profile import load_profile_bytes
from schedctl.resolve.assignment import Assignment, resolve
from schedctl.resolve.facts import Cpu, HostFacts, KernelFacts

HEAD = "schedctl: 1\nname: a\n"
FIXED = "policy: {order: fixed_priority}\n"


def host(*caches: int, hz: int | None = 250) -> HostFacts:
    """One last-level cache per number, with so many CPUs."""
    llcs = [llc for llc, cpus in enumerate(caches) for _ in range(cpus)]
    cpus = tuple(Cpu(number, number, llc, 0) for number, llc in enumerate(llcs))
    return HostFacts(kernel=KernelFacts(hz=hz), cpus=cpus)


def profile(text: str, caches: Sequence[int] = (1,)) -> Assignment:
    """The lines behind `name`, resolved."""
    return resolve(load_profile_bytes((HEAD + text).encode(), "<test>"), host(*caches))


def classes(**keys: str) -> str:
    """`classes:` with a match for each."""
    rows = (f"  {name}: {{match: [{{comm: {name}}}], {rest}}}\n" for name, rest in keys.items())
    return "classes:\n" + "".join(rows)
