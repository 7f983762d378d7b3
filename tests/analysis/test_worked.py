# SPDX-License-Identifier: GPL-2.0-only
"""The worked sets, exactly; the table in docs/analysis.md is theirs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.analysis.worked import PAGE, SAID, SHORT, TESTS, result, said, with_table, worked_sets


@pytest.mark.parametrize("case", worked_sets(), ids=lambda case: str(case["name"]))
def test_worked_set(case: dict[str, Any]) -> None:
    assert case["derivation"]
    for name, wanted in case["expect"].items():
        found = result(name, case)
        if isinstance(wanted, list):
            assert [task.response_time_ns for task in found.tasks] == wanted, name
        else:
            assert SHORT[found.verdict] == wanted, (name, found.detail)


def test_each_test_has_three_sets() -> None:
    counts = Counter(name for case in worked_sets() for name in case["expect"])
    assert {name: counts[name] for name in TESTS if counts[name] < 3} == {}


def test_the_page_has_the_table() -> None:
    text = PAGE.read_text()
    assert with_table(text) == text, "python -m tests.analysis.worked writes it anew"


def test_what_each_test_says() -> None:
    """Recorded and read once: every word and number."""
    assert said() == SAID.read_text(), "python -m tests.analysis.worked writes it anew"
