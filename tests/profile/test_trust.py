# SPDX-License-Identifier: GPL-2.0-only
"""Whose files choose the policy: the file, the links to it, and each folder above both."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from schedctl.errors import ProfileError
from schedctl.profile.library import Directory, Library, Rank
from tests import process

ALICE = 4711
TEXT = "schedctl: 1\nname: a\nclasses: {game: {match: [{comm: game}]}}\n"

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="gives files to another user")


class Tree:
    """/etc/schedctl/profiles and /home/alice below a root of their own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.profiles = root / "etc/schedctl/profiles"
        self.home = root / "home/alice"
        self.profiles.mkdir(parents=True)
        self.home.mkdir(parents=True)
        os.chown(self.home, ALICE, ALICE)
        self.file = self.profiles / "a.yaml"
        self.file.write_text(TEXT)

    def read(self, *owners: int) -> None:
        directory = Directory(self.profiles, Rank.ADMINISTRATOR)
        library = Library((directory,), self.root, lambda: frozenset(owners))
        library.read(library.find("a").path)

    def refusal(self, *owners: int) -> str:
        with pytest.raises(ProfileError) as caught:
            self.read(*owners)
        (problem,) = caught.value.problems
        assert problem.file == str(self.file)
        assert problem.hint
        return f"{problem.message}; {problem.hint}".replace(str(self.root), "")

    def farm(self) -> Path:
        """The profile is a link into alice's repository."""
        target = self.home / "dotfiles/a.yaml"
        target.parent.mkdir()
        target.write_text(TEXT)
        for path in (target, target.parent):
            os.chown(path, ALICE, ALICE)
        self.file.unlink()
        self.file.symlink_to(target)
        return target


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_what_belongs_to_root(tree: Tree) -> None:
    tree.read()


@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_file_that_everybody_may_write(tree: Tree, mode: int) -> None:
    tree.file.chmod(mode)
    assert tree.refusal().startswith("everybody may write to /etc/schedctl/profiles/a.yaml; `chmod o-w ")


def test_a_group_may_write_only_where_it_is_roots(tree: Tree) -> None:
    tree.file.chmod(0o664)
    tree.read()
    os.chown(tree.file, 0, ALICE)
    assert "the group 4711 may write" in tree.refusal()


@pytest.mark.parametrize("folder", ["etc", "etc/schedctl", "etc/schedctl/profiles"])
def test_a_folder_above_that_others_may_change(tree: Tree, folder: str) -> None:
    (tree.root / folder).chmod(0o777)
    assert f"everybody may write to /{folder};" in tree.refusal()
    (tree.root / folder).chmod(0o755)
    os.chown(tree.root / folder, ALICE, 0)
    assert f"/{folder} belongs to user 4711" in tree.refusal()


def test_a_file_of_somebody_else(tree: Tree) -> None:
    os.chown(tree.file, ALICE, 0)
    said = tree.refusal()
    assert "belongs to user 4711" in said
    assert "write 'trusted_owners: [4711]' into schedctl.yaml" in said
    tree.read(ALICE)


def test_a_farm_of_links_needs_a_word(tree: Tree) -> None:
    tree.farm()
    assert "/home/alice belongs to user 4711" in tree.refusal()
    tree.read(ALICE)
    assert "belongs to user 4711" in tree.refusal(ALICE + 1)


def test_the_target_of_a_trusted_owner_is_looked_at_too(tree: Tree) -> None:
    target = tree.farm()
    target.chmod(0o666)
    assert "everybody may write to /home/alice/dotfiles/a.yaml" in tree.refusal(ALICE)
    target.chmod(0o644)
    target.parent.chmod(0o777)
    assert "everybody may write to /home/alice/dotfiles;" in tree.refusal(ALICE)


def test_a_link_of_somebody_else_to_a_file_of_root(tree: Tree) -> None:
    """Who owns the link can let it lead elsewhere."""
    target = tree.file.rename(tree.root / "etc/a.yaml")
    tree.file.symlink_to(target)
    tree.read()
    os.chown(tree.file, ALICE, 0, follow_symlinks=False)
    assert "belongs to user 4711" in tree.refusal()


def test_a_link_through_a_folder_of_somebody_else(tree: Tree) -> None:
    (tree.home / "way").symlink_to(tree.root / "etc")
    target = tree.file.rename(tree.root / "etc/a.yaml")
    tree.file.symlink_to(tree.home / "way" / target.name)
    assert "/home/alice belongs to user 4711" in tree.refusal()


def test_a_file_that_was_exchanged_after_the_check(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    from schedctl.profile import library

    def exchange(*words: object) -> os.stat_result:
        status = tree.file.stat()
        other = tree.root / "other.yaml"
        other.write_text(TEXT)
        other.replace(tree.file)
        return status

    monkeypatch.setattr(library, "check_trusted", exchange)
    with pytest.raises(ProfileError) as caught:
        tree.read()
    assert "replaced" in caught.value.problems[0].message


def test_a_file_that_may_not_be_read() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders can only be entered by root
        tree = Tree(Path(folder))
        tree.root.chmod(0o755)
        tree.file.chmod(0o600)

        def as_somebody() -> None:
            os.seteuid(ALICE)
            with pytest.raises(ProfileError) as caught:
                tree.read()
            (problem,) = caught.value.problems
            assert (problem.file, problem.message) == (str(tree.file), "Permission denied")

        assert process.run(as_somebody) == 0
