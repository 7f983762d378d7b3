# SPDX-License-Identifier: GPL-2.0-only
"""What a mutation run found, per file, and each survivor's change: for tests/analysis/mutants."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant

# mutmut's exit codes; a change that ends in a loop is noticed as well.
STATUS = {
    1: "killed",
    3: "killed",
    0: "survived",
    -24: "time-out",
    24: "time-out",
    36: "time-out",
    None: "not run",
}
COLUMNS = ("killed", "time-out", "survived", "not run", "other")


def main() -> None:
    totals: Counter[str] = Counter()
    left: list[str] = []
    print(f"{'':<42}" + "".join(f"{name:>10}" for name in ("changes", *COLUMNS)))
    for path in sorted(Path("mutants/schedctl/analysis").glob("*.meta")):
        codes: dict[str, int | None] = json.loads(path.read_text())["exit_code_by_key"]
        if not codes:
            continue
        said = Counter(STATUS.get(code, "other") for code in codes.values())
        left += [name for name, code in codes.items() if STATUS.get(code, "other") in ("survived", "other")]
        totals += said
        print(row(f"schedctl/analysis/{path.stem}", said))
    print(row("all", totals))
    for name in left:
        shown = get_diff_for_mutant(name, path=f"schedctl/analysis/{name.split('.')[2]}.py")
        lines = [line for line in shown.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        print(f"\n{name.removeprefix('schedctl.analysis.')}", *lines, sep="\n")


def row(name: str, said: Counter[str]) -> str:
    return f"{name:<42}" + "".join(f"{n:>10}" for n in (said.total(), *(said[column] for column in COLUMNS)))


if __name__ == "__main__":
    main()
