# SPDX-License-Identifier: GPL-2.0-only
"""CPU quotas from a recorded /sys/fs/cgroup."""

from __future__ import annotations

from pathlib import Path

from schedctl.kernel.cgroupfs import read_quotas
from schedctl.kernel.protocol import Quota

LIMITS = {
    "": None,  # the root has no cpu.max
    "system.slice": "max 100000",
    "system.slice/web.service": "50000 100000",
    "system.slice/web.service/worker": "10000 50000",
    "system.slice/broken.service": "",
    "user.slice/user-1000.slice/user@1000.service/app.slice/game.scope": "150000 100000",
    "limited.slice": "20000 100000",
    "bare": "1000 100000",
}


def test_every_finite_one_with_its_unit(tmp_path: Path) -> None:
    for path, text in LIMITS.items():
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
        if text is not None:
            (tmp_path / path / "cpu.max").write_text(f"{text}\n")
    assert read_quotas(tmp_path) == (
        Quota("/bare", 1000, 100000, ""),
        Quota("/limited.slice", 20000, 100000, "limited.slice"),
        Quota("/system.slice/web.service", 50000, 100000, "web.service"),
        Quota("/system.slice/web.service/worker", 10000, 50000, "web.service"),
        Quota(
            "/user.slice/user-1000.slice/user@1000.service/app.slice/game.scope", 150000, 100000, "game.scope"
        ),
    )


def test_no_cgroups(tmp_path: Path) -> None:
    assert read_quotas(tmp_path / "missing") == ()
