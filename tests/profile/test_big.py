# SPDX-License-Identifier: GPL-2.0-only
"""Fifteen thousand match items are planned and applied while one waits."""

from __future__ import annotations

import gc
import time
from pathlib import Path

from schedctl.kernel.protocol import Kernel
from schedctl.profile import load_profile
from schedctl.reconcile import desired_image, plan_change, reconcile
from tests.kernel.fake import FakeKernel
from tests.profile.big import NR_ITEMS, big_profile


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
    assert planned - started < 1
    assert applied - planned < 1
