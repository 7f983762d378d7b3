# SPDX-License-Identifier: GPL-2.0-only
"""kill -9 at each step of an apply, on the real kernel."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Guest
from tests.kernel import killed


def test_killed_at_every_step(lab1: Guest) -> None:
    lab1.sh("schedctl detach")
    lab1.vm.put("/root/killed.py", Path(killed.__file__))
    lines = lab1.sh("python3 /root/killed.py", timeout=900).splitlines()
    seen = {(change, found) for change, _, found in (line.split() for line in lines)}
    assert seen == {("change", "old"), ("change", "new"), ("attach", "none"), ("attach", "new")}, lines
    assert lab1.sh("cat /sys/kernel/sched_ext/state") == "disabled\n"
