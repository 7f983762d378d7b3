# SPDX-License-Identifier: GPL-2.0-only
"""`compare.py PROFILE SECONDS < PIDS`: the kernel's class of each thread against resolve/match.py's.

Runs in the guest. What a thread is comes from /proc, what the kernel made of it from the scheduler's
storage. Repeats until all agree or the time is over; prints JSON: how many threads, how many of each
class, how many held back, and who differs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from schedctl.cli.host import facts_for
from schedctl.image.compile import compile_image
from schedctl.image.task import TaskFlag, decode_task
from schedctl.kernel.procfs import LiveThread, threads
from schedctl.kernel.real import RealKernel
from schedctl.observe import observe
from schedctl.profile import load_profile
from schedctl.resolve.assignment import Assignment, resolve
from schedctl.resolve.match import classify

PIN = "/sys/fs/bpf/schedctl/maps/task_ctxs"


def kernel_classes(tids: list[int]) -> dict[int, tuple[int, bool, int]]:
    """TID -> class index, held back, generation."""
    text = "\n".join(map(str, tids)) + "\n"
    out = subprocess.run(["/root/classes", PIN], input=text, stdout=subprocess.PIPE, text=True, check=True)
    found = {}
    for line in out.stdout.splitlines():
        tid, hexadecimal = line.split()
        if hexadecimal != "gone":
            task = decode_task(bytes.fromhex(hexadecimal))
            found[int(tid)] = task.class_id, TaskFlag.HELD_BACK in task.flags, task.generation
    return found


def look(assignment: Assignment, names: list[str], generation: int, pids: set[int]) -> dict[str, Any]:
    live: list[LiveThread] = [t for t in threads() if t.pid in pids or t.thread.kthread]
    kernel = kernel_classes([t.tid for t in live])
    classes: Counter[str] = Counter()
    held_back, differ = 0, []
    for found in live:
        if found.tid not in kernel:
            continue
        index, held, seen = kernel[found.tid]
        if seen != generation and found.thread.kthread:
            continue  # it has not run since
        decision = classify(assignment, found.thread)
        classes[decision.matched] += 1
        held_back += held
        if (names[index], held, seen) != (decision.effective, decision.held_back, generation):
            differ.append(f"{found}: {names[index]}, held back {held}, generation {seen}; not {decision}")
    return {"threads": sum(classes.values()), "classes": classes, "held_back": held_back, "differ": differ}


def main() -> None:
    profile = load_profile(Path(sys.argv[1]))
    assignment = resolve(profile, facts_for(profile, None))
    names = [cls.name for cls in compile_image(assignment).classes]
    generation = observe(RealKernel()).generation
    assert generation is not None
    pids = set(map(int, sys.stdin.read().split()))
    deadline = time.monotonic() + float(sys.argv[2])
    while (result := look(assignment, names, generation, pids))["differ"]:
        if time.monotonic() > deadline:
            break
        time.sleep(1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
