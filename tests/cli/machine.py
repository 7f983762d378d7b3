# SPDX-License-Identifier: GPL-2.0-only
"""A machine with the profiles one, two and three, a fake kernel, and timers that a test lets go off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schedctl import paths
from schedctl.cli.main import main
from schedctl.kernel import real
from schedctl.observe import observe
from schedctl.selected import Selected, read_selected
from schedctl.timer import SystemdTimer
from tests.armed import ArmedTimers
from tests.cli.output import checked
from tests.kernel.fake import FakeKernel

GOOD = "schedctl: 1\nname: good\nclasses:\n  game: {match: [{comm: game}], level: 6}\n"


class Machine:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.kernel, self.timers = FakeKernel(), ArmedTimers()
        self._capsys = capsys

    def __call__(self, *words: str) -> dict[str, Any]:
        """The JSON of a verb, whatever its exit code."""
        self._capsys.readouterr()
        code = main([*words, "--json"])
        document = checked(words[0], self._capsys.readouterr().out)
        assert document["exit"] == code
        return document

    def said(self, *words: str) -> str:
        self._capsys.readouterr()
        main(words)
        found = self._capsys.readouterr()
        return found.out + found.err

    def profile(self) -> str | None:
        image = observe(self.kernel).image
        return image.profile if image else None

    def noted(self) -> Selected:
        return read_selected(paths.selected_file())

    def expire(self) -> None:
        """The armed timers go off."""
        for _, words in list(self.timers.armed.values()):
            assert main(words) == 0


def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Machine:
    machine = Machine(capsys)
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    monkeypatch.setattr(real, "RealKernel", lambda: machine.kernel)
    monkeypatch.setattr(SystemdTimer, "arm", lambda _, *words: machine.timers.arm(*words))
    monkeypatch.setattr(SystemdTimer, "disarm", lambda _, name: machine.timers.disarm(name))
    profiles = tmp_path / "etc" / "schedctl" / "profiles"
    profiles.mkdir(parents=True)
    for name, level in (("one", "6"), ("two", "5"), ("three", "4")):
        (profiles / f"{name}.yaml").write_text(GOOD.replace("good", name).replace("6", level))
    paths.standing_file().write_text("# mine\nprofile: one\n")
    return machine
