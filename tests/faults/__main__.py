# SPDX-License-Identifier: GPL-2.0-only
"""`make faults`: every fault at every step in a folder with the fake kernel, then a part of them in the lab.

`python -m tests.faults [--native | --lab | --write]`: a part; --write makes the lists of steps anew.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.faults import campaign, lab, lists
from tests.faults.judge import Wrong
from tests.faults.native import Native
from tests.faults.scenarios import SCENARIOS
from tests.lab.vm import VM, Config, slot

NAMES = tuple(scenario.name for scenario in SCENARIOS)
LAB_S = 3 * 3600
# Odd: kills and errors take turns.
SHARE = 5
# After so many faults one line of progress.
SOME = 20
# World-writable folders are refused as places of profiles.
FOLDER = Path(__file__).parents[2] / "build"

Document = dict[str, Any]


def native() -> list[Document]:
    found: list[Document] = []
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder, Native(Path(folder) / "root") as machine:
        for scenario in SCENARIOS:
            run = campaign.clean(machine, scenario)
            for fault in campaign.faults(run.steps):
                found.append(campaign.strike(machine, scenario, run, fault).to_document())
                _say_wrong(found[-1])
            print(f"native {scenario.name}: {len(run.steps)} steps", flush=True)
    return found


def in_lab(share: int) -> list[Document]:
    """`share` 0 only traces."""

    struck = 0

    def each(document: Document) -> None:
        nonlocal struck
        if "steps" in document:
            struck = 0
            print(f"lab {document['scenario']}: {len(document['steps'])} lines of steps", flush=True)
            return
        struck += 1
        if not struck % SOME:
            print(f"lab {document['scenario']}: {struck} faults", file=sys.stderr, flush=True)
        _say_wrong(document)

    with slot(), VM(Config(smp=2, append="lab.idle")) as vm:
        print(f"kernel {vm.sh('uname -r').strip()}", flush=True)
        lab.send(vm)
        return lab.strike(vm, share, NAMES, LAB_S, each)


def _say_wrong(document: Document) -> None:
    if document["wrong"]:
        print("WRONG", *document.values(), sep=", ", flush=True)


def table(title: str, found: Iterable[Document]) -> int:
    """Faults by scenario and by kind, and what they led to; the number of those that went wrong."""
    faults = [document for document in found if "fault" in document]
    print(f"\n{title}: {len(faults)} faults")
    for key in ("scenario", "kind", "became"):
        counts = Counter(_value(document, key) for document in faults)
        print(f"  by {key}: " + ", ".join(f"{name} {number}" for name, number in counts.items()))
    bad = Counter(document["wrong"].partition(":")[0] for document in faults if document["wrong"])
    print("  " + ", ".join(f"{wrong}: {bad[wrong]}" for wrong in Wrong))
    return bad.total()


def _value(document: Document, key: str) -> str:
    if key != "kind":
        return str(document[key])
    kind, _, code = str(document["fault"]).rpartition(" ")
    return kind if code.startswith("E") else str(document["fault"])


def main() -> int:
    only = sys.argv[1] if sys.argv[1:] else ""
    begun = time.monotonic()
    wrong = 0
    if only in ("", "--native"):
        wrong += table("on the fake kernel", native())
    if only != "--native":
        found = in_lab(0 if only == "--write" else SHARE)
        for document in found:
            if "steps" not in document:
                continue
            name, steps = document["scenario"], document["steps"]
            if only == "--write":
                lists.write(name, steps)
            elif different := lists.difference(name, steps):
                wrong += 1
                print(f"the steps of {name} are not those of the list:", *different, sep="\n  ")
        wrong += table("in the lab", found)
    print(f"\n{wrong} wrong, {time.monotonic() - begun:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
