# SPDX-License-Identifier: GPL-2.0-only
"""What README and docs state in figures is in the stored results, or was set and not measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FIGURE = re.compile(
    r"(?<![\w.])\d[\d,.]*(?:[\u2013-]\d[\d,.]*)?\s?"
    r"(?:ms|µs|us|ns|s|min|minutes?|seconds?|KB|MB|GB|[KMG]iB|%|\u00d7|times|instructions|per second)(?!\w)"
)
# The language's own values, tables that a script writes, and the record of how decisions came about.
OTHERS = {"profile.md", "features.md", "benchmarks.md", "decisions.md", "analysis.md"}
# What is set and not measured: where it is set.
SET = {
    ("README.md", "10%"): "the shown profile",
    ("README.md", "30 s"): "TIMEOUT_MS of bpf/intf.h",
    ("README.md", "60s"): "an example",
    ("README.md", "60 s"): "DEFAULT_NS of schedctl/cli/within.py, SETTLE_S of schedctl/trying.py",
    ("limits.md", "60 s"): "SETTLE_S of schedctl/trying.py",
    ("limits.md", "64 MiB"): "MAX_BYTES of schedctl/history.py",
    ("limits.md", "4 ms"): "the kernel's HZ",
    ("limits.md", "1.3 MB"): "the size of the map of class counters",
    ("limits.md", "10 s"): "GRACE_S of daemon/quota.py, log.py, handover.py",
    ("architecture.md", "10 s"): "PATIENCE_S of schedctl/handover.py",
    ("limits.md", "16 KiB"): "EVENT_RING_BYTES of bpf/intf.h",
    ("limits.md", "8 ms"): "UTIL_WINDOW_NS of bpf/power.bpf.c",
    ("limits.md", "1 ms"): "OWED_QUANTUM_NS of bpf/sched_math.h",
    ("limits.md", "0.25 ms"): "OVERDUE_QUANTUM_NS of bpf/sched_math.h",
    ("limits.md", "0.9 s"): "PERIOD_MAX_GAP_NS of bpf/period_math.h",
    ("limits.md", "7.5 s"): "MAX_WAIT_NS of bpf/intf.h",
    ("limits.md", "70 s"): "one event, told in docs/decisions.md",
}
PAGES = sorted(
    path for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")) if path.name not in OTHERS
)


def figures(text: str) -> set[str]:
    """Every number with a unit, as it is written."""
    return {re.sub(r"\s+", " ", found).strip() for found in FIGURE.findall(text)}


@pytest.fixture(scope="module")
def stored() -> set[str]:
    """With their units; without where a table has the unit in its head, unless the number is a small one."""
    measured = (ROOT / "docs" / "benchmarks.md").read_text()
    cells = "\n".join(line for line in measured.splitlines() if line.startswith("|"))
    numbers = set(re.findall(r"\d[\d,]*\.\d+|\d{1,3}(?:,\d{3})+|\d{3,}", cells))
    return numbers.union(*(figures(path.read_text()) for path in (ROOT / "docs" / "results").glob("*")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_figures_are_in_the_results(page: Path, stored: set[str]) -> None:
    unknown = {
        figure
        for figure in figures(page.read_text())
        if not {figure, figure.split()[0]} & stored and (page.name, figure) not in SET
    }
    assert not unknown, "measure it by a command whose output is in docs/results, or say where it is set"


def test_what_is_set_is_still_stated() -> None:
    texts = {page.name: figures(page.read_text()) for page in PAGES}
    assert [key for key in SET if key[1] not in texts[key[0]]] == []


def test_what_is_shown_was_printed() -> None:
    """The demo's lines in README are those of its stored output."""
    printed = (ROOT / "docs" / "results" / "demo.txt").read_text()
    shown = re.findall(r"^ +(job-\w+ after \d+ ms)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(shown) == 8
    assert [line for line in shown if line not in printed] == []
