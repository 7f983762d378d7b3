# SPDX-License-Identifier: GPL-2.0-only
"""`python -m tests.sched.tricks [SECONDS]`: what each hostile load takes, from ours and from the default one.

For each: a hog of level 7, a fair spinner, one of SCHED_IDLE, which is background, and the load, for SECONDS
each, 5 by default; first under ours, then under the default scheduler. One CPU is online of two possible,
under --icount: times can be compared. Exit status 1 where ours did not stay, the fair tier had less than four
fifths of its share, or the fair spinner waited for longer than the maximum wait.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from tests.conftest import CONFIGS, Guest
from tests.lab.vm import VM, slot
from tests.sched.hostile import MAX_WAIT_NS, STORMS, TRICKS, Load, hostile, nothing_ejected, profile

FAIR_SHARE = 10
BESIDE = ("spin:hog", "spin:probe", "idle")
LOADS = {
    "nothing else": (),
    **{trick: (trick,) for trick in TRICKS},
    **{storm.split(":")[0]: (storm,) for storm in STORMS},
    "all at once": (*TRICKS, *STORMS),
}
HEADS = ("fair wait, ms", "fair, %", "spinner, %", "background, %", "hog, %")


def measure(guest: Guest, seconds: int) -> dict[str, Load]:
    return {name: hostile(guest, seconds, *BESIDE, *groups) for name, groups in LOADS.items()}


def figures(load: Load) -> list[float]:
    """As the heads say. Without tiers fair is who is neither the hog nor SCHED_IDLE, which is background."""
    others = sum(group.cpu_ns for name, group in load.groups.items() if name not in ("hog", "idle"))
    fair_ns = load.fair_ns or others
    background_ns = load.background_ns or load["idle"].cpu_ns
    shares = (fair_ns, load["probe"].cpu_ns, background_ns, load["hog"].cpu_ns)
    return [load["probe"].longest_ns / 1e6, *(float(Fraction(100 * ns, load.elapsed_ns)) for ns in shares)]


def show(loads: Mapping[str, Load]) -> None:
    print(f"  {'beside':<14}" + "".join(f"{head:>15}" for head in HEADS))
    for name, load in loads.items():
        wait_ms, *shares = figures(load)
        print(f"  {name:<14}{wait_ms:>15,.0f}" + "".join(f"{share:>15.1f}" for share in shares))


def is_kept(load: Load) -> bool:
    fair_percent = Fraction(100 * load.fair_ns, load.elapsed_ns)
    return fair_percent >= Fraction(4, 5) * FAIR_SHARE and load["probe"].longest_ns <= MAX_WAIT_NS


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with slot(), VM(replace(CONFIGS["lab1"], possible=2)) as vm:
        guest = Guest(vm)
        print(
            f"kernel {guest.sh('uname -r').strip()}, one CPU of two possible under --icount, {seconds} s each"
        )
        guest.apply(profile(f"{FAIR_SHARE}%"))
        with nothing_ejected(guest):
            ours = measure(guest, seconds)
        print(f"schedctl, fair_share {FAIR_SHARE} %, background_share 1 %, the hog at level 7:")
        show(ours)
        guest.sh("schedctl detach")
        print("default scheduler, which knows no levels: the hog is a thread like the spinner")
        show(measure(guest, seconds))
    broken = [name for name, load in ours.items() if not is_kept(load)]
    if broken:
        print(f"share or maximum wait not kept beside: {', '.join(broken)}")
        return 1
    print(
        f"schedctl kept the fair share and the maximum wait of {MAX_WAIT_NS / 1e9:.1f} s beside each of them"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
