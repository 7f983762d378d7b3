# SPDX-License-Identifier: GPL-2.0-only
"""A part of `make faults`: some faults of each kind on the fake kernel, and some on the real one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from schedctl import paths
from tests.conftest import Guest
from tests.faults import campaign, lists, ptrace
from tests.faults.faults import Fault, Kind
from tests.faults.judge import KILLED, Judge, WrongError
from tests.faults.lab import send, strike
from tests.faults.native import Native
from tests.faults.scenarios import BY_NAME, DAEMON, SCENARIOS
from tests.faults.steps import counted

BUILD = Path(__file__).parents[2] / "build"
# Of each scenario's faults; a number that shares no factor with how many each step has.
SHARE = 23

needs_ptrace = pytest.mark.skipif(not ptrace.SUPPORTED, reason="registers are known for x86-64 only")


@pytest.fixture
def machine() -> Iterator[Native]:
    folder = Path(tempfile.mkdtemp(dir=BUILD))  # not in a folder where others may write
    try:
        with Native(folder / "root") as machine:
            yield machine
    finally:
        shutil.rmtree(folder)


@needs_ptrace
@pytest.mark.parametrize("name", [scenario.name for scenario in SCENARIOS])
def test_a_part_of_the_faults(machine: Native, name: str) -> None:
    scenario = BY_NAME[name]
    run = campaign.clean(machine, scenario)
    assert lists.on_files(counted(run.steps)) == lists.on_files(lists.steps_of(name))
    chosen = list(campaign.faults(run.steps))[::SHARE]
    found = [campaign.strike(machine, scenario, run, fault) for fault in chosen]
    assert [outcome.to_document() for outcome in found if outcome.wrong] == []


@needs_ptrace
def test_what_was_killed_is_not_confirmed(machine: Native) -> None:
    scenario = BY_NAME["within"]
    run = campaign.clean(machine, scenario)
    flip = list(map(str, run.steps)).index("kernel flip")
    machine.restore()
    assert machine.hit(scenario.command, Fault(Kind.KILL_BEFORE, flip))[0] == KILLED
    assert paths.pending_file().exists()
    code, said = machine.run(("confirm",))
    assert code == 75
    assert "what waits for a confirmation is profile two, and profile one runs" in said
    assert machine.run(DAEMON)[0] == 0
    assert not paths.pending_file().exists()


def test_a_swap_is_told_from_none(machine: Native) -> None:
    """The policy is the same before and after it."""
    scenario = BY_NAME["swap"]
    machine.prepare(scenario)
    old = machine.running()
    new = old and replace(old, object_id=machine.kernel.installed)
    judge = Judge(machine, scenario, old, new)
    judge.hit(75, "refused")
    with pytest.raises(WrongError, match="not what was said"):
        judge.hit(0, "")
    assert machine.run(scenario.command)[0] == 0
    assert machine.running() == new
    judge.hit(0, "")
    with pytest.raises(WrongError, match="not what was said"):
        judge.hit(75, "refused")


def test_there_are_five_hundred() -> None:
    """In `make faults`, by what was traced; the kernel's own steps come on top."""
    total = sum(len(list(campaign.faults(lists.files_of(name)))) for name in BY_NAME)
    assert total >= 500


def test_a_part_of_the_faults_on_the_real_kernel(lab: Guest) -> None:
    """And no step is new, or gone: the list is what is tested."""
    send(lab.vm)
    names = ("change",)
    found = strike(lab.vm, 11, names, timeout=400)
    traced = [document for document in found if "steps" in document]
    assert [document["scenario"] for document in traced] == list(names)
    for document in traced:
        assert lists.difference(document["scenario"], document["steps"]) == []
    assert [document for document in found if document.get("wrong")] == []
    assert len(found) - len(traced) >= 4


def test_a_missing_bpffs(lab1: Guest) -> None:
    """Nothing is attached where nothing could be kept; once it is there again, all is well."""
    lab1.sh("schedctl detach; umount /sys/fs/bpf")
    try:
        refused = lab1.schedctl("apply", "desktop")
        assert refused["exit"] == 69
        assert "no BPF file system at /sys/fs/bpf" in refused["problems"][0]["message"]
        assert lab1.sh("cat /sys/kernel/sched_ext/state") == "disabled\n"
    finally:
        lab1.sh("mount -t bpf -o mode=0700 bpf /sys/fs/bpf")
    assert lab1.schedctl("apply", "desktop")["exit"] == 0
