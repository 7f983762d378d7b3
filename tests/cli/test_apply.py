# SPDX-License-Identifier: GPL-2.0-only
"""apply, plan, status and detach on the fake kernel: what they note, and what a full disk leaves."""

from __future__ import annotations

import io
import resource
import sys
from pathlib import Path

import pytest

from schedctl import paths
from schedctl.cli.main import main
from schedctl.kernel import real
from schedctl.observe import observe
from schedctl.profile.document import MAX_BYTES
from schedctl.profile.load import Loader
from schedctl.selected import Choice, Selected, read_selected
from tests import process
from tests.cli.output import checked
from tests.kernel.fake import FakeKernel

GOOD = "schedctl: 1\nname: good\nclasses:\n  game: {match: [{comm: game}], level: 6}\n"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """What the verbs find as their kernel; the root folder has the profile `good`, and it is standing."""
    kernel = FakeKernel()
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    monkeypatch.setattr(real, "RealKernel", lambda: kernel)
    profiles = tmp_path / "etc" / "schedctl" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "good.yaml").write_text(GOOD)
    (profiles / "other.yaml").write_text(GOOD.replace("good", "other").replace("6", "5"))
    paths.standing_file().write_text("profile: good\n")
    return kernel


def noted() -> Selected:
    return read_selected(paths.selected_file())


def profile_of(kernel: FakeKernel) -> str | None:
    image = observe(kernel).image
    return image.profile if image else None


def test_plan_apply_plan(kernel: FakeKernel) -> None:
    assert main(["status"]) == 3
    assert main(["plan", "good"]) == main(["apply", "good", "--check"]) == 2
    assert kernel.calls == []
    assert main(["apply", "good"]) == 0
    assert main(["plan", "good"]) == main(["apply", "good", "--check"]) == main(["status"]) == 0
    assert main(["plan", "other"]) == 2
    assert noted() == Selected.profile("good")


def test_apply_without_a_name_ends_a_selection(kernel: FakeKernel) -> None:
    assert main(["apply", "other"]) == 0
    assert main(["apply"]) == 0
    assert noted().choice is Choice.STANDING
    assert profile_of(kernel) == "good"


def test_a_path_is_copied_and_not_followed(kernel: FakeKernel, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD.replace("good", "mine"))
    assert main(["apply", str(file)]) == 0
    copy = Path(noted().value)
    assert noted() == Selected.copy(paths.run_dir() / "selected.d" / "mine.json")
    (layer,) = Loader().by_copy(copy).layers
    assert (layer.document.file, layer.document.text) == (str(file), file.read_text())
    file.unlink()
    assert main(["status"]) == 0
    assert list(copy.parent.iterdir()) == [copy]


def test_detach_is_noted_until_the_next_apply(kernel: FakeKernel) -> None:
    main(["apply", "good"])
    assert main(["detach"]) == 0
    assert noted() == Selected.none()
    assert not kernel.running
    assert main(["status"]) == 0
    assert main(["apply", "other"]) == 0
    assert noted() == Selected.profile("other")


@pytest.mark.parametrize("call", ["write_policy", "clear_class_stats", "flip"])
def test_a_refusal_of_the_kernel_leaves_the_note(kernel: FakeKernel, call: str) -> None:
    main(["apply", "good"])
    kernel.fail = call
    assert main(["apply", "other"]) == 1
    assert noted() == Selected.profile("good")
    assert profile_of(kernel) == "good"


@pytest.mark.parametrize("word", ["other", "path"])
def test_a_full_disk_changes_neither_kernel_nor_note(kernel: FakeKernel, tmp_path: Path, word: str) -> None:
    main(["apply", "good"])
    (tmp_path / "path.yaml").write_text(GOOD.replace("good", "path"))
    name = word if word == "other" else str(tmp_path / "path.yaml")

    def apply() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        calls = len(kernel.calls)
        assert main(["apply", name]) == 73
        assert len(kernel.calls) == calls
        assert profile_of(kernel) == "good"

    assert process.run(apply) == 0
    assert noted() == Selected.profile("good")


def test_the_way_out_does_not_need_a_disk(kernel: FakeKernel) -> None:
    main(["apply", "good"])

    def detach() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        assert main(["detach"]) == 73
        assert not kernel.sched_state().ours

    assert process.run(detach) == 0
    assert noted() == Selected.profile("good")


def test_a_broken_note_is_written_anew(kernel: FakeKernel, capsys: pytest.CaptureFixture[str]) -> None:
    main(["apply", "good"])
    paths.selected_file().write_bytes(b"\xff")
    capsys.readouterr()
    assert main(["status", "--json"]) == 3
    found = checked("status", capsys.readouterr().out)
    assert (found["owner"], found["selected"], len(found["problems"])) == ("schedctl", None, 1)
    assert main(["apply", "good"]) == 0
    assert noted() == Selected.profile("good")


def test_a_profile_called_none_is_not_a_detachment(kernel: FakeKernel) -> None:
    (paths.profile_dirs()[1] / "none.yaml").write_text(GOOD.replace("good", "none"))
    assert main(["apply", "none"]) == 65
    assert noted().choice is Choice.STANDING


def test_too_long_a_text_from_standard_input_is_not_cut(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, tail = b"schedctl: 1\nname: long\n# ", b"\nclasses: {game: {match: [{comm: game}], level: 6}}\n"
    for size, status in ((MAX_BYTES, 0), (MAX_BYTES + 1, 65)):
        text = head + b"x" * (size - len(head) - len(tail)) + tail
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        assert main(["apply", "-"]) == status
        image = observe(kernel).image
        assert image is not None
        assert [cls.name for cls in image.classes] == ["default", "game"]
