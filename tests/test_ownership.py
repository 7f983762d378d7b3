# SPDX-License-Identifier: GPL-2.0-only
"""What somebody else could have put into /run/schedctl, and what root then does: nothing, and says why."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from schedctl import paths
from schedctl.books import Errand
from schedctl.change import given_by
from schedctl.choice import chosen, loader
from schedctl.desired import desired_by, to_image_copy
from schedctl.errors import PrivilegeError, StateError
from schedctl.image.model import ImageClass, PolicyImage
from schedctl.lock import locked
from schedctl.notes import Notes
from schedctl.ownership import make_folder
from schedctl.presence import daemon_runs, note_daemon
from schedctl.profile.model import CpuMax, Order, Tier
from schedctl.ran import Ran
from schedctl.reconcile import reconcile
from schedctl.request import Request, Verb, myself
from schedctl.selected import Selected, read_selected, write_selected
from schedctl.trying import held_by_mark
from tests import process
from tests.armed import ArmedTimers
from tests.kernel.fake import FakeKernel

ALICE = 4711
VICTIM = "root's\n"
IMAGE = PolicyImage("a", Order.EDF, Fraction(1, 10), (ImageClass("default", Tier.FAIR, 0, 0, 0, 100),), ())

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="acts as another user")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture
def victim(root: Path) -> Path:
    """A file of root's that no attack may change."""
    path = root / "victim"
    path.write_text(VICTIM)
    return path


def lock() -> None:
    with locked(paths.lock_file(), 0):
        pass


def select() -> None:
    write_selected(paths.selected_file(), Selected.profile("a"))


def read() -> None:
    read_selected(paths.selected_file())


WRITERS = (lock, select, note_daemon)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_modes_do_not_hang_on_the_umask(umask: int) -> None:
    before = os.umask(umask)
    try:
        for writer in WRITERS:
            writer()
    finally:
        os.umask(before)
    assert mode(paths.run_dir()) == 0o755
    assert mode(paths.lock_file()) == 0o600, "who may open it may hold it"
    assert mode(paths.selected_file()) == 0o644
    assert mode(paths.daemon_file()) == 0o644, "everybody may see that the daemon runs"


@pytest.mark.parametrize("folder_mode", [0o777, 0o1777, 0o775])
@pytest.mark.parametrize("act", [*WRITERS, read])
def test_a_folder_that_others_may_write_to(act: Callable[[], None], folder_mode: int) -> None:
    make_folder(paths.run_dir())
    paths.selected_file().write_text("a\n")
    os.chown(paths.run_dir(), 0, ALICE)
    paths.run_dir().chmod(folder_mode)
    with pytest.raises(StateError) as caught:
        act()
    assert "may write to" in caught.value.message
    assert (caught.value.hint or "").startswith("`chmod ")


@pytest.mark.parametrize("act", [*WRITERS, read])
def test_a_folder_of_somebody_else(act: Callable[[], None]) -> None:
    make_folder(paths.run_dir())
    paths.selected_file().write_text("a\n")
    os.chown(paths.run_dir(), ALICE, 0)
    with pytest.raises(StateError) as caught:
        act()
    assert "belongs to user 4711" in caught.value.message
    assert caught.value.hint == "give it to root, or remove it"


def test_a_link_planted_as_the_lock(victim: Path) -> None:
    """Even by root, by mistake: the lock is a file."""
    make_folder(paths.run_dir())
    paths.lock_file().symlink_to(victim)
    with pytest.raises(StateError):
        lock()
    assert victim.read_text() == VICTIM


@pytest.mark.parametrize("name", ["selected", "daemon"])
def test_a_link_of_somebody_else_is_not_followed(victim: Path, name: str) -> None:
    make_folder(paths.run_dir())
    link = paths.run_dir() / name
    link.symlink_to(victim)
    os.chown(link, ALICE, ALICE, follow_symlinks=False)
    if name == "daemon":
        assert not daemon_runs()
    else:
        with pytest.raises(StateError):
            read()
    for writer in WRITERS:
        writer()
    assert victim.read_text() == VICTIM
    assert not link.is_symlink(), "replaced, not written through"


@pytest.mark.parametrize(
    ("name", "act"),
    [("selected", read), ("lock", lock), ("daemon", None)],
    ids=["selected", "lock", "daemon"],
)
def test_a_file_that_everybody_may_write(name: str, act: Callable[[], None] | None) -> None:
    for writer in WRITERS:
        writer()
    assert daemon_runs()
    file = paths.run_dir() / name
    file.chmod(0o666)
    if act is None:
        assert not daemon_runs()
        return
    with pytest.raises(StateError, match="everybody may write"):
        act()


def test_a_copy_that_somebody_else_wrote(root: Path) -> None:
    copies = paths.run_dir() / "selected.d"
    make_folder(copies)
    copy = copies / "a.json"
    copy.write_text("{}")
    write_selected(paths.selected_file(), Selected.copy(copy))
    os.chown(copy, ALICE, 0)
    with pytest.raises(StateError, match="belongs to user 4711"):
        chosen(loader())


def test_an_image_that_somebody_else_wrote() -> None:
    copy = paths.copies_dir() / "a.image.json"
    make_folder(copy.parent)
    copy.write_bytes(to_image_copy(Ran(IMAGE, CpuMax.REFUSE, Selected.copy(copy))))
    found = desired_by(Selected.copy(copy), loader())
    assert found is not None
    assert found.image == IMAGE
    os.chown(copy, ALICE, 0)
    with pytest.raises(StateError, match="belongs to user 4711"):
        desired_by(Selected.copy(copy), loader())


@pytest.mark.parametrize("plant", ["file", "link"])
def test_a_requests_copy_that_somebody_else_wrote(victim: Path, plant: str) -> None:
    """Neither read nor removed; where it is root's, both."""
    copy = paths.copies_dir() / ".new-7-request"
    make_folder(copy.parent)
    request = Request(Verb.APPLY, Selected.copy(paths.copies_dir() / "a.json"), copy)
    copy.write_text("{}")
    assert given_by(request).copy == b"{}"
    assert not copy.exists()
    if plant == "file":
        copy.write_text("{}")
    else:
        copy.symlink_to(victim)
    os.chown(copy, ALICE, ALICE, follow_symlinks=False)
    with pytest.raises(StateError, match="belongs to user 4711"):
        given_by(request)
    assert os.path.lexists(copy)


def test_a_mark_that_somebody_else_wrote_is_not_put_back() -> None:
    kernel = FakeKernel()
    make_folder(paths.state_dir())
    paths.trying_file().write_text("{}")
    os.chown(paths.trying_file(), ALICE, 0)
    assert held_by_mark("") is not None, "not used, so nothing attaches"
    errand = Errand(myself(), "apply", ArmedTimers(), Notes(Selected()))
    with pytest.raises(StateError, match="belongs to user 4711"):
        reconcile(kernel, IMAGE, errand=errand)
    assert not kernel.running
    assert paths.trying_file().stat().st_uid == ALICE


def test_what_another_user_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read; neither plant a link, nor make a file, nor hold the lock."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders can only be entered by root
        Path(folder).chmod(0o755)
        monkeypatch.setenv("SCHEDCTL_ROOT", folder)
        victim = Path(folder) / "victim"
        victim.write_text(VICTIM)
        for writer in WRITERS:
            writer()

        def attack() -> None:
            os.setegid(ALICE)
            os.seteuid(ALICE)
            assert read_selected(paths.selected_file()) == Selected.profile("a")
            assert daemon_runs()
            for name in ("lock", "selected", ".selected-x", ".new-1-x", "control"):
                with pytest.raises(OSError):
                    os.symlink(victim, paths.run_dir() / name)
            with pytest.raises(PrivilegeError):
                lock()
            with pytest.raises(StateError):
                select()

        assert process.run(attack) == 0
        assert victim.read_text() == VICTIM


def test_a_note_of_the_daemon_that_cannot_be_written_is_a_sentence() -> None:
    paths.run_dir().parent.mkdir(parents=True)
    paths.run_dir().write_text("not a folder")
    with pytest.raises(StateError, match="cannot write"):
        note_daemon()


def test_folders_are_made_below_what_is_there(root: Path) -> None:
    make_folder(root / "a/b/c")
    assert [mode(root / path) for path in ("a", "a/b", "a/b/c")] == [0o755] * 3
    make_folder(root / "a/b/c")
    (root / "a").chmod(0o777)
    with pytest.raises(StateError):
        make_folder(root / "a/b/d")
