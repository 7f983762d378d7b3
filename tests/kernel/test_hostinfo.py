# SPDX-License-Identifier: GPL-2.0-only
"""Facts from a recorded /sys, and from the machine that runs the tests."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from schedctl.kernel.hostinfo import local_names, read_cpus, read_facts
from schedctl.kernel.sysfs import parse_list
from schedctl.resolve.accounts import Names
from schedctl.resolve.facts import Cpu


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("", ()), ("0", (0,)), ("0-2,8", (0, 1, 2, 8)), ("3, 5-6", (3, 5, 6)), ("nonsense", ())],
)
def test_lists(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_list(text) == numbers


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def test_topology(tmp_path: Path) -> None:
    """Two nodes, two LLCs in each, SMT siblings half the machine apart, one CPU offline."""
    root = tmp_path / "devices/system/cpu"
    write(root / "online", "0-14")
    write(root / "isolated", "7")
    for number in range(16):
        core, cpu = number % 8, root / f"cpu{number}"
        write(cpu / "topology/core_cpus_list", f"{core},{core + 8}")
        write(cpu / "topology/physical_package_id", str(core // 4))
        for level, shared in ((1, f"{core},{core + 8}"), (3, f"{core // 2 * 2}-{core // 2 * 2 + 1}")):
            write(cpu / f"cache/index{level}/level", str(level))
            write(cpu / f"cache/index{level}/shared_cpu_list", shared)
        (cpu / f"node{core // 4}").mkdir()
    cpus = read_cpus(tmp_path)
    assert len(cpus) == 15
    assert cpus[7] == Cpu(7, core=7, llc=6, node=1, isolated=True)
    assert cpus[11] == Cpu(11, core=3, llc=2, node=0)


def test_a_machine_that_describes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "devices/system/cpu/online", "0-1")
    assert read_cpus(tmp_path) == (Cpu(0, 0, 0, 0), Cpu(1, 1, 0, 0))
    assert read_cpus(tmp_path / "absent") == ()


def test_this_machine() -> None:
    facts = read_facts(Names(frozenset({"root", "no-such-user"}), frozenset({"0", "no-such-group"})))
    assert facts.users == {"root": 0}
    assert facts.groups["root"].gid == 0
    assert 0 in facts.groups["root"].members
    assert len(facts.cpus) == os.cpu_count()
    assert facts.kernel.release == os.uname().release
    assert pwd.getpwuid(0).pw_name in local_names().users
