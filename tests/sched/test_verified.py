# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel's verifier walks for each callback: an attach and a swap take as long as that."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Guest

# Of 22 callbacks the longest: dispatch walks 27,000.
BAR = 32_000
OBJECTS = Path(__file__).parents[1] / "faults" / "objects.py"
ASK = "python3 -c 'import json, objects; print(json.dumps(objects.walked()))'"


def test_no_callback_takes_the_verifier_long(lab1: Guest) -> None:
    lab1.apply("schedctl: 1\nname: lab\nclasses:\n  job: {match: [{comm: job}], level: 4}\n")
    lab1.vm.put("/root/objects.py", OBJECTS)
    answer = json.loads(lab1.sh(f"cd /root && {ASK}"))
    walked = [(name, count) for name, count in answer if name.startswith("schedctl_")]
    assert len(walked) >= 20, walked
    assert all(0 < count <= BAR for _, count in walked), walked
