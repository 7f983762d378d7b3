# SPDX-License-Identifier: GPL-2.0-only
"""Fifteen thousand match items are planned and applied while one waits."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pytest

from schedctl.errors import ProfileError
from schedctl.kernel.protocol import Kernel
from schedctl.profile import load_profile, load_profile_bytes
from schedctl.reconcile import desired_image, plan_change, reconcile
from tests.kernel.fake import FakeKernel
from tests.profile.big import NR_ITEMS, big_profile


@pytest.mark.long
def test_planned_and_applied(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_text(big_profile())
    kernel: Kernel = FakeKernel()
    gc.disable()  # as the command line does
    try:
        started = time.process_time()
        image = desired_image(load_profile(path))
        plan = plan_change(kernel, image)
        planned = time.process_time()
        outcome = reconcile(kernel, image)
        applied = time.process_time()
    finally:
        gc.enable()
    assert len([rule for rule in plan.desired.rules if not rule.implicit]) == NR_ITEMS
    assert outcome.observation.image == image
    # half of it on a machine that has nothing else to do
    assert planned - started < 2
    assert applied - planned < 2


@pytest.mark.long
def test_as_many_items_as_the_language_allows() -> None:
    items = "".join(f"   - {{comm: t{i}}}\n" for i in range(65_500))
    text = f"schedctl: 1\nname: many\nclasses:\n  c:\n   level: 3\n   match:\n{items}"
    assert len(load_profile_bytes(text.encode(), "<many>").classes[0].match) == 65_500


LINES = ["    - {{comm: t{i}, nice: 5}}", "  C{i}: {{levl: 9}}", "# {i}", "extends: [a]", ""]


@pytest.mark.long
@pytest.mark.parametrize("line", LINES)
def test_a_hundred_thousand_lines(line: str) -> None:
    """Refused with reasons, in bounded time."""
    head = "schedctl: 1\nname: long\nclasses:\n" + ("  c:\n   match:\n" if "comm" in line else "")
    text = head + "\n".join(line.format(i=i) for i in range(100_000)) + "\n"
    started = time.process_time()
    with pytest.raises(ProfileError) as caught:
        load_profile_bytes(text.encode(), "<long>")
    assert time.process_time() - started < 30
    assert all(problem.hint for problem in caught.value.problems)
