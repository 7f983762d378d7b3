# SPDX-License-Identifier: GPL-2.0-only
"""A machine with a fake kernel for the daemon's loop: one life of the daemon, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from queue import Empty

import pytest
import systemd.daemon
from systemd import journal

from schedctl import paths
from schedctl.daemon import loop
from schedctl.daemon.files import Followed
from schedctl.daemon.loop import Daemon
from schedctl.daemon.triggers import Trigger, TriggerQueue
from schedctl.observe import observe
from schedctl.ran import Ran
from schedctl.selected import Selected, write_selected
from tests.armed import ArmedTimers
from tests.kernel.fake import FakeKernel

EDITED = "schedctl: 1\nname: edited\nclasses:\n  game: {match: [{comm: game}], level: %s}\n"
Step = Callable[[], Trigger | None]


class Script(TriggerQueue):
    """A queue in which something happens whenever the daemon waits; None = the tick is over."""

    def __init__(self, steps: Iterable[Step]) -> None:
        super().__init__()
        self.steps = iter(steps)

    def get(self, timeout: float | None = None) -> Trigger:
        if not self.empty():
            return super().get()
        if timeout == 0:
            raise Empty
        trigger = next(self.steps, lambda: Trigger.STOP)()
        if trigger is None:
            raise Empty
        return trigger


class World:
    """A machine: kernel, folders, service manager and journal, and a daemon on it."""

    def __init__(self) -> None:
        self.kernel = FakeKernel()
        self.watched: list[set[Path]] = []
        self.entries: list[dict[str, str]] = []
        self._told: list[str] = []
        self.now = 0.0
        self.timers = ArmedTimers()
        self.good: Ran | None = None

    def watch(self, files: Followed) -> None:
        self.watched.append(set(files.to_watch()))

    def send(self, message: str, **fields: str) -> None:
        self.entries.append({"MESSAGE": message, **fields})

    def run(self, *steps: Step) -> list[str]:
        """The events of one life of the daemon; it is stopped after the last step."""
        self.entries, self.watched = [], []
        queue = Script(steps)
        Daemon(self.kernel, queue, self, lambda: self.now, self.timers, lambda: self.good).run(None)
        assert self.entries.pop()["SCHEDCTL_EVENT"] == "stopped"
        return [entry["SCHEDCTL_EVENT"] for entry in self.entries]

    def notified(self) -> list[str]:
        """What the service manager was told, without STATUS."""
        told, self._told = self._told, []
        return [line for line in told if not line.startswith("STATUS")]

    def notify(self, text: str) -> None:
        self._told.append(text.splitlines()[0])

    def generation(self) -> int | None:
        return observe(self.kernel).generation

    def level(self) -> int | None:
        image = observe(self.kernel).image
        return image.classes[1].level if image else None


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    monkeypatch.setattr(loop, "QUIET_S", 0)
    world = World()
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    monkeypatch.setattr(journal, "send", world.send)
    monkeypatch.setattr(systemd.daemon, "notify", world.notify)
    edit(6)
    paths.standing_file().write_text("profile: edited\n")
    return world


def file() -> Path:
    return paths.under_root("/etc/schedctl/profiles/edited.yaml")


def edit(level: object) -> Trigger:
    file().parent.mkdir(parents=True, exist_ok=True)
    file().write_text(EDITED % level)
    return Trigger.FILES


def select(selected: Selected) -> Trigger:
    write_selected(paths.selected_file(), selected)
    return Trigger.FILES
