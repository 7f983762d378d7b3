# SPDX-License-Identifier: GPL-2.0-only
"""guest.py, sent to a machine of the lab."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.lab.vm import VM

_HERE = Path(__file__).parent
FILES = ("campaign", "disk", "faults", "guest", "judge", "objects", "ptrace", "scenarios", "steps")


def send(vm: VM) -> None:
    for name in FILES:
        vm.put(f"/root/tests/faults/{name}.py", _HERE / f"{name}.py")


def strike(
    vm: VM,
    share: int,
    names: Sequence[str],
    timeout: float,
    each: Callable[[dict[str, Any]], None] = lambda document: None,
) -> list[dict[str, Any]]:
    """What guest.py says; `each` sees it as it comes."""
    documents: list[dict[str, Any]] = []
    rest = b""

    def said(stream: str, data: bytes) -> None:
        nonlocal rest
        if stream != "o":
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            documents.append(json.loads(line))
            each(documents[-1])

    command = ["sh", "-c", f"cd /root && python3 -m tests.faults.guest {share} {' '.join(names)}"]
    vm.run(command, timeout, said).ok()
    return documents
