# SPDX-License-Identifier: GPL-2.0-only
"""The command line with a root folder of its own, on a kernel without sched_ext."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from schedctl.cli.main import main
from schedctl.kernel import sysfs
from tests.cli.machine import GOOD as GOOD
from tests.cli.machine import Machine, made

BAD = "schedctl: 1\nname: bad\nclasses:\n  game: {match: [{comm: game}], level: 60, tire: fair}\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """main() with its own root folder, on a kernel without sched_ext."""
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    monkeypatch.setattr(sysfs, "SCHED_EXT", tmp_path / "absent")
    profiles = tmp_path / "etc" / "schedctl" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "good.yaml").write_text(GOOD)
    (profiles / "bad.yaml").write_text(BAD)

    def call(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = main(words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Machine:
    return made(tmp_path, monkeypatch, capsys)
