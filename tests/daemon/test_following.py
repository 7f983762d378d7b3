# SPDX-License-Identifier: GPL-2.0-only
"""What the daemon notices, with inotify on real folders and the fake kernel."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedctl import paths
from schedctl.daemon.files import Followed
from schedctl.daemon.loop import Daemon
from schedctl.daemon.triggers import Trigger, TriggerQueue, Watcher
from schedctl.observe import observe
from schedctl.selected import Selected, write_selected
from tests.kernel.fake import FakeKernel

TEXT = "schedctl: 1\nname: {name}\n{more}classes:\n  game: {{match: [{{comm: game}}], level: {level}}}\n"
PATIENT = 3600.0


class Counting(Watcher):
    """Counts the reconciles; a deaf one never hears of anything."""

    def __init__(self, queue: TriggerQueue, deaf: bool) -> None:
        super().__init__(queue)
        self.reconciles = 0
        self.deaf = deaf

    def watch(self, files: Followed) -> None:
        self.reconciles += 1
        if not self.deaf:
            super().watch(files)


class Machine:
    """A daemon in a thread, on the folders below a directory."""

    def __init__(self, etc: Path) -> None:
        self.profiles = etc / "profiles"
        self.kernel = FakeKernel()
        self.queue = TriggerQueue()

    def start(self, tick_s: float = PATIENT, deaf: bool = False) -> None:
        self.watcher = Counting(self.queue, deaf)
        self.thread = threading.Thread(
            target=Daemon(self.kernel, self.queue, self.watcher).run, args=[tick_s]
        )
        self.thread.start()

    def stop(self) -> None:
        self.queue.put(Trigger.STOP)
        self.thread.join(10)
        self.watcher.stop()
        assert not self.thread.is_alive()

    def level(self) -> int | None:
        image = observe(self.kernel).image
        return image.classes[1].level if image else None

    def reaches(self, level: int | None, within_s: float = 5) -> bool:
        """Whether the kernel gets there, and stays there when all is quiet."""
        end = time.monotonic() + within_s
        while self.level() != level and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.15)
        return self.level() == level


def write(path: Path, level: int, name: str = "edited", more: str = "") -> None:
    """As editors do: a new file takes the old one's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(TEXT.format(name=name, level=level, more=more))
    new.replace(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    found = Machine(paths.under_root("/etc/schedctl"))
    write(found.profiles / "edited.yaml", 6)
    paths.standing_file().write_text("profile: edited\n")
    yield found
    found.stop()


def test_an_atomic_rename(machine: Machine) -> None:
    machine.start()
    assert machine.reaches(6)
    for level in (5, 4, 3):
        write(machine.profiles / "edited.yaml", level)
        assert machine.reaches(level)


def test_a_parent_and_a_drop_in(machine: Machine) -> None:
    write(machine.profiles / "base.yaml", 3, "base")
    (machine.profiles / "edited.yaml").write_text("schedctl: 1\nname: edited\nextends: [base]\n")
    machine.start()
    assert machine.reaches(3)
    write(machine.profiles / "base.yaml", 4, "base")
    assert machine.reaches(4)
    dropin = machine.profiles / "edited.yaml.d" / "10-more.yaml"
    dropin.parent.mkdir()
    dropin.write_text("classes: {game: {level: 7}}\n")
    assert machine.reaches(7)
    dropin.write_text("classes: {game: {level: 2}}\n")
    assert machine.reaches(2)
    above = paths.run_dir() / "profiles" / "edited.yaml.d" / dropin.name
    above.parent.mkdir(parents=True)
    above.symlink_to("/dev/null")
    assert machine.reaches(4), "a drop-in masked in a folder that appeared later"


def test_a_farm_of_links(machine: Machine, tmp_path: Path) -> None:
    """As stow makes it: single files, or the whole folder, are links into a repository."""
    farm = tmp_path / "dotfiles" / "schedctl"
    write(farm / "edited.yaml", 5)
    link = machine.profiles / "edited.yaml"
    link.unlink()
    link.symlink_to(os.path.relpath(farm / "edited.yaml", link.parent))
    machine.start()
    assert machine.reaches(5)
    write(farm / "edited.yaml", 4)
    assert machine.reaches(4), "the target is edited"
    write(tmp_path / "other" / "edited.yaml", 3)
    new = link.with_name(".new")
    new.symlink_to(tmp_path / "other" / "edited.yaml")
    new.replace(link)
    assert machine.reaches(3), "the link leads elsewhere"
    machine.profiles.rename(tmp_path / "aside")
    machine.profiles.symlink_to(farm)
    assert machine.reaches(4), "the folder has become a link"
    write(farm / "edited.yaml", 2)
    assert machine.reaches(2)


def test_a_folder_that_is_replaced(machine: Machine, tmp_path: Path) -> None:
    machine.start()
    assert machine.reaches(6)
    for level in (2, 3):
        new = machine.profiles.with_name("profiles.new")
        write(new / "edited.yaml", level)
        machine.profiles.rename(tmp_path / f"old{level}")
        new.rename(machine.profiles)
        assert machine.reaches(level)
        write(machine.profiles / "edited.yaml", level + 2)
        assert machine.reaches(level + 2), "the new folder is watched, not the old one"


def test_a_checkout_of_200_files_is_one_reconcile(machine: Machine) -> None:
    machine.start()
    assert machine.reaches(6)
    before = machine.watcher.reconciles
    for i in range(200):
        write(machine.profiles / f"p{i}.yaml", 1, f"p{i}")
        if i == 100:
            write(machine.profiles / "edited.yaml", 2)
        time.sleep(0.001)
    assert machine.reaches(2)
    assert machine.watcher.reconciles == before + 1


def test_writing_without_end_is_not_waited_for(machine: Machine) -> None:
    machine.start()
    assert machine.reaches(6)
    write(machine.profiles / "edited.yaml", 2)
    end = time.monotonic() + 4
    while machine.level() != 2 and time.monotonic() < end:
        write(machine.profiles / "other.yaml", 1, "other")
        time.sleep(0.01)
    assert machine.level() == 2


def test_a_folder_that_appears_later(machine: Machine, tmp_path: Path) -> None:
    machine.profiles.parent.rename(tmp_path / "aside")
    machine.start()
    assert machine.reaches(None)
    (tmp_path / "aside").rename(machine.profiles.parent)
    assert machine.reaches(6)
    write(machine.profiles / "edited.yaml", 1)
    assert machine.reaches(1)


def test_the_standing_choice_and_the_selection(machine: Machine) -> None:
    write(machine.profiles / "two.yaml", 2, "two")
    machine.start()
    assert machine.reaches(6)
    paths.standing_file().write_text("profile: two\n")
    assert machine.reaches(2)
    write_selected(paths.selected_file(), Selected.profile("edited"))
    assert machine.reaches(6)


def test_edits_of_which_inotify_said_nothing(machine: Machine) -> None:
    """Its queue was full, or a folder could not be watched: the next tick finds them."""
    machine.start(tick_s=0.1, deaf=True)
    assert machine.reaches(6)
    write(machine.profiles / "edited.yaml", 2)
    assert machine.reaches(2)
    quiet = machine.watcher.reconciles
    time.sleep(0.5)
    assert machine.watcher.reconciles == quiet, "nothing has changed since"


def test_files_that_do_not_count_wake_nobody(machine: Machine) -> None:
    machine.start()
    assert machine.reaches(6)
    before = machine.watcher.reconciles
    (machine.profiles / "README").write_text("notes\n")
    (machine.profiles / "edited.yaml~").write_text("an editor's copy\n")
    (machine.profiles / "edited.yaml").read_text()
    time.sleep(0.3)
    assert machine.watcher.reconciles == before
