# SPDX-License-Identifier: GPL-2.0-only
"""`make endure`: what edits, flips and swaps cost a machine that is at work, and what they leave behind.

`python -m tests.endure [PART[=NUMBER]...]`: parts of edits, flips, swaps, reconciles. Each ends in a line
with "ok" or "FAILED"; exit status 1 where one failed.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from schedctl.daemon.loop import QUIET_S
from tests.conftest import CONFIGS, Guest, Lab
from tests.daemon.test_service import start
from tests.endure.profiles import LEVELS, POLICIES, edited
from tests.kernel.faulty import BUILT, GOOD, INSTALLED, replaced
from tests.lab.vm import bootstrap

HERE = Path(__file__).parent
SENT = (HERE / "guest.py", HERE / "profiles.py", HERE / "samples.py", HERE.parent / "faults" / "objects.py")
PART_S = 3600
OTHER = "/root/other.bpf.o"

QUIET_RUNS = 5
FLIP_BAR_NS = 1_000_000
RSS_BAR_KIB = 1024
# Twentieths of all edits: by the first the history has its 50 entries, by the second Python its memory.
LOOKS = (2, 5, 10, 15, 20)
SPINNERS = 2
PROBE_US = 1000
SLOW_PROBE_US = 5000
FLIP_PROBE_US = 2000

Document = dict[str, Any]


def ask(guest: Guest, part: str, *words: object) -> list[Document]:
    """What a part of guest.py prints."""
    for path in SENT:
        guest.vm.put(f"/root/{path.relative_to(HERE.parents[1])}", path)
    line = shlex.join(["python3", "-m", "tests.endure.guest", part, *map(str, words)])
    return [json.loads(text) for text in guest.sh(f"cd /root && {line}", timeout=PART_S).splitlines()]


def say(text: str) -> None:
    print(text, flush=True)


def ms(ns: float) -> str:
    return f"{ns / 1e6:.1f} ms"


def us(ns: int) -> str:
    return f"{ns / 1e3:.0f} µs"


def verdict(part: str, wrong: Sequence[str], text: str) -> bool:
    say(f"{part}: {text}: {'FAILED: ' + '; '.join(wrong) if wrong else 'ok'}")
    return not wrong


# --- the parts ------------------------------------------------------------------------------------


def edits(machines: Lab, count: int) -> bool:
    """From the rename of a profile to the first wake-up that is decided by it."""
    say(f"edits: one CPU, icount; a thread of the edited class sleeps for {us(PROBE_US * 1000)} on average")
    wrong = []
    for spinners in (0, SPINNERS):
        guest = machines.guest(CONFIGS["lab1"])
        generation = start(guest, edited(LEVELS[0]))
        (found,) = ask(guest, "edits", count, 300, spinners, PROBE_US)
        took = found["took_ns"]
        if guest.status()["generation"] != generation + count:
            wrong.append("an edit was no policy of its own")
        say(
            f"edits: beside {spinners} spinners: median {ms(median(took))}, worst {ms(max(took))}, of that"
            f" {QUIET_S * 1000:.0f} ms waiting whether more files change;"
            f" the daemon's CPU time for an edit {ms(found['cpu_ns'] / count)}"
        )
    return verdict("edits", wrong, f"2 times {count} edits, each a policy of its own")


def reconciles(machines: Lab, count: int) -> bool:
    """The daemon follows edits one after another: what it holds afterwards."""
    guest = machines.guest(CONFIGS["lab"])
    start(guest, edited(LEVELS[0]))
    looks = sorted({count * share // 20 for share in LOOKS})
    *samples, _ = ask(guest, "edits", count, 0, 0, SLOW_PROBE_US, *looks)
    for sample in samples:
        say(
            f"reconciles: after {sample['after']}: VmRSS {sample['rss_kib']} KiB, the unit's memory"
            f" {sample['memory_kib']} KiB, {', '.join(totals(sample['counts']))}"
        )
    first, settled = samples[:2]
    wrong = [
        f"after {sample['after']} {text}"
        for sample in samples
        for text in differences(first["counts"], sample["counts"])
    ]
    rss, memory = (
        max(sample[key] for sample in samples[1:]) - settled[key] for key in ("rss_kib", "memory_kib")
    )
    if rss > RSS_BAR_KIB:
        wrong.append(f"VmRSS grew by more than {RSS_BAR_KIB} KiB")
    return verdict(
        "reconciles",
        wrong,
        f"{count} edits followed; from {settled['after']} on VmRSS grew by {rss} KiB at most,"
        f" the unit's memory by {memory} KiB; all else held against that after {first['after']}",
    )


def totals(counts: Document) -> list[str]:
    """`map 35` and the like."""
    kinds: Counter[str] = Counter()
    for name, number in counts.items():
        kinds[name.partition(" ")[0]] += number
    return [f"{kind} {number}" for kind, number in kinds.items()]


def differences(before: Document, after: Document) -> list[str]:
    names = sorted({*before, *after})
    return [
        f"{name}: {before.get(name, 0)} -> {after.get(name, 0)}"
        for name in names
        if before.get(name, 0) != after.get(name, 0)
    ]


def flips(machines: Lab, count: int) -> bool:
    """The longest wait of an urgent thread while policies take turns, against runs without a flip."""
    guest = machines.guest(CONFIGS["lab1"])
    guest.apply(POLICIES[0])
    before = guest.status()
    (flipped,) = ask(guest, "flips", count, FLIP_PROBE_US)
    after = guest.status()
    wrong = []
    if (after["enable_seq"], after["generation"]) != (before["enable_seq"], before["generation"] + count):
        wrong.append(f"generation {before['generation']} -> {after['generation']}")
    took = flipped["took_ns"]
    say(
        f"flips: one CPU, icount; {count} flips in {sum(took) / 1e9:.1f} s, median {ms(median(took))}, worst"
        f" {ms(max(took))}: {waits(flipped)},"
        f" under {flipped['policies']} policies"
    )
    longest = 0
    for number in range(1, QUIET_RUNS + 1):
        (found,) = ask(guest, "quiet", flipped["wakes"], FLIP_PROBE_US)
        longest = max(longest, found["longest_ns"])
        say(f"flips: run {number} without flips: {waits(found)}")
    above = flipped["longest_ns"] - longest
    if above > FLIP_BAR_NS:
        wrong.append("more than 1 ms above")
    return verdict(
        "flips",
        wrong,
        f"longest wait {us(flipped['longest_ns'])} with {count} flips, {us(longest)} without:"
        f" {above / 1e3:+.0f} µs",
    )


def waits(found: Document) -> str:
    figures = ", ".join(f"{name} {us(found[f'{name}_ns'])}" for name in ("p50", "p99", "longest"))
    return f"{found['wakes']} wake-ups of the probe, {figures}"


def swaps(machines: Lab, count: int) -> bool:
    """The BPF object is replaced again and again, under load."""
    guest = machines.guest(CONFIGS["lab"])
    guest.apply(POLICIES[0])
    with replaced(guest, "other"):
        guest.sh(f"cp {INSTALLED} {OTHER}")
        first, *swapped, probe, last = ask(guest, "swaps", count, FLIP_PROBE_US, OTHER, GOOD)
    wrong = [text for one in swapped for text in one["wrong"]]
    wrong += differences(first["objects"], last["objects"])
    wrong += differences(first["descriptors"], last["descriptors"])
    if first["pins"] != last["pins"]:
        wrong.append(f"pins: {first['pins']} -> {last['pins']}")
    for key, what in (
        ("gap_ns", "nothing of ours ran"),
        ("longest_fork_ns", "the longest fork took"),
        ("bypass_ns", "the kernel counts in bypass"),
    ):
        times = [one[key] for one in swapped]
        say(f"swaps: two CPUs: {what}: median {ms(median(times))}, worst {ms(max(times))}")
    say(f"swaps: meanwhile {waits(probe['probe'])}")
    return verdict(
        "swaps",
        wrong,
        f"{len(swapped)} swaps, policy and figures kept;"
        f" {sum(first['objects'].values())} maps, programs and links,"
        f" {first['pins']} entries in bpffs and"
        f" {sum(first['descriptors'].values())} descriptors before and after",
    )


PARTS: dict[str, tuple[Callable[[Lab, int], bool], int]] = {
    "edits": (edits, 20),
    "reconciles": (reconciles, 2000),
    "flips": (flips, 1000),
    "swaps": (swaps, 50),
}


def main(words: Sequence[str]) -> int:
    _, qemu = bootstrap("standard")
    version = ["chroot", str(qemu), "qemu-system-x86_64", "--version"]
    say(subprocess.run(version, capture_output=True, text=True, check=True).stdout.splitlines()[0])
    assert BUILT.is_dir(), "run `make faulty` first"
    machines, good = Lab(), True
    try:
        for word in words or PARTS:
            name, _, number = word.partition("=")
            part, count = PARTS[name]
            began = time.monotonic()
            good = part(machines, int(number or count)) and good
            say(f"{name}: {time.monotonic() - began:.0f} s of wall time\n")
    finally:
        machines.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
