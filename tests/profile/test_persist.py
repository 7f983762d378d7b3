# SPDX-License-Identifier: GPL-2.0-only
"""schedctl.yaml with another profile, and nothing else in it changed."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from schedctl.errors import StateError
from schedctl.profile.persist import standing_change, with_profile
from tests import process


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "profile: new\n"),
        ("profile: old\n", "profile: new\n"),
        ("profile: old", "profile: new"),
        ("# why\nprofile: old  # since May\ntags: [a]\n", "# why\nprofile: new  # since May\ntags: [a]\n"),
        ("profile: 'old'\n", "profile: new\n"),
        ('profile: "old" # x\n', "profile: new # x\n"),
        ("{profile: old, tags: [a]}\n", "{profile: new, tags: [a]}\n"),
        ("tags: [a]\n", "tags: [a]\nprofile: new\n"),
        ("tags: [a]", "tags: [a]\nprofile: new\n"),
        ("# only words\n", "# only words\nprofile: new\n"),
    ],
)
def test_only_the_name_changes(before: str, after: str) -> None:
    assert with_profile(before, "schedctl.yaml", "new") == after


@pytest.mark.parametrize("text", ["profile:\n  old\n", "{tags: [a]}\n"])
def test_what_is_better_done_by_hand(text: str) -> None:
    with pytest.raises(StateError, match="profile: "):
        with_profile(text, "schedctl.yaml", "new")


def test_nothing_counts_before_it_is_committed(tmp_path: Path) -> None:
    file = tmp_path / "schedctl.yaml"
    file.write_text("profile: old\n")
    file.chmod(0o640)
    with standing_change(file, "new"):
        assert file.read_text() == "profile: old\n"
    assert file.read_text() == "profile: old\n"
    with standing_change(file, "new") as commit:
        commit()
    assert file.read_text() == "profile: new\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_one_and_a_folder_is_made(tmp_path: Path) -> None:
    target, link = tmp_path / "dotfiles.yaml", tmp_path / "schedctl.yaml"
    target.write_text("profile: old\n")
    link.symlink_to(target)
    with standing_change(link, "new") as commit:
        commit()
    assert link.is_symlink()
    assert target.read_text() == "profile: new\n"
    with standing_change(tmp_path / "etc" / "schedctl.yaml", "new") as commit:
        commit()
    assert (tmp_path / "etc" / "schedctl.yaml").read_text() == "profile: new\n"


def test_a_full_disk_shows_before_anything_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "schedctl.yaml"
    file.write_text("profile: old\n")

    def persist() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        with pytest.raises(StateError, match="cannot write"), standing_change(file, "new"):
            raise AssertionError("it began")

    assert process.run(persist) == 0
    assert file.read_text() == "profile: old\n"
    assert list(tmp_path.iterdir()) == [file]
