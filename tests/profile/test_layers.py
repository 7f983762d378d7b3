# SPDX-License-Identifier: GPL-2.0-only
"""Directories, masks, parents and drop-ins: which files count, in which order, and what comes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from schedctl.errors import MissingError, ProfileError
from schedctl.profile.library import Directory, Library, Rank
from schedctl.profile.load import Loaded, Loader, to_copy

RANKS = {"usr": Rank.PACKAGE, "etc": Rank.ADMINISTRATOR, "run": Rank.RUNTIME}
FACTS = {"cpus": 8, "tags": ["laptop"], "smt": False, "virt": "none"}
GAME = "classes: {game: {match: [{comm: game}], level: 5}}"


class Machine:
    """Files by short names: etc/a.yaml is the administrator's profile `a`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in RANKS:
            (root / name).mkdir()
        directories = tuple(Directory(root / name, rank) for name, rank in RANKS.items())
        self.library = Library(directories, root)

    def file(self, name: str, text: str = "") -> Path:
        """Profiles get their heads; a text that begins with -> is a link's target."""
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text.removeprefix("-> "))
        elif path.parent.name in RANKS:
            path.write_text(f"schedctl: 1\nname: {path.stem}\n{text}\n")
        else:
            path.write_text(text)
        return path

    def load(self, name: str = "a", facts: Mapping[str, Any] = FACTS) -> Loaded:
        return Loader(self.library, lambda: facts).by_name(name)

    def files(self, name: str = "a") -> list[str]:
        """The layers, lowest first."""
        found = [layer.document.file for layer in self.load(name).layers]
        return [str(Path(file).relative_to(self.root)) for file in found]

    def value(self, name: str = "a") -> Any:
        return self.load(name).effective.value

    def game(self, name: str = "a") -> Any:
        return self.value(name)["classes"]["game"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_highest_directory_has_the_file(machine: Machine) -> None:
    for name in ("usr", "etc", "run"):
        machine.file(f"{name}/a.yaml", f"description: of {name}")
        assert machine.value()["description"] == f"of {name}"
        assert machine.files() == [f"{name}/a.yaml"]


def test_a_link_to_nowhere_takes_a_profile_and_its_dropins_away(machine: Machine) -> None:
    machine.file("usr/base.yaml", GAME)
    machine.file("etc/base.yaml.d/10.yaml", "classes: {game: {level: 6}}")
    machine.file("usr/a.yaml", "extends: [base]")
    assert machine.game()["level"] == 6
    machine.file("etc/base.yaml", "-> /dev/null")
    assert machine.library.entries()["base"].masked
    assert machine.library.entries()["base"].dropins == ()
    with pytest.raises(MissingError, match="masked"):
        machine.load("base")
    with pytest.raises(ProfileError) as caught:
        machine.load("a")
    assert "masked" in caught.value.problems[0].message


def test_parents_left_to_right_depth_first_each_with_its_dropins(machine: Machine) -> None:
    machine.file("usr/deep.yaml")
    machine.file("usr/deep.yaml.d/1.yaml")
    machine.file("usr/left.yaml", "extends: [deep]")
    machine.file("usr/left.yaml.d/1.yaml")
    machine.file("etc/right.yaml")
    machine.file("etc/a.yaml", "extends: [left, right]")
    machine.file("run/a.yaml.d/1.yaml")
    assert machine.files() == [
        "usr/deep.yaml",
        "usr/deep.yaml.d/1.yaml",
        "usr/left.yaml",
        "usr/left.yaml.d/1.yaml",
        "etc/right.yaml",
        "etc/a.yaml",
        "run/a.yaml.d/1.yaml",
    ]


def test_a_profile_that_is_reached_twice_counts_once(machine: Machine) -> None:
    machine.file("usr/base.yaml")
    machine.file("usr/left.yaml", "extends: [base]")
    machine.file("usr/right.yaml", "extends: [base]")
    machine.file("etc/a.yaml", "extends: [left, right]")
    assert machine.files() == ["usr/base.yaml", "usr/left.yaml", "usr/right.yaml", "etc/a.yaml"]


def test_dropins_by_base_name_whatever_their_directory(machine: Machine) -> None:
    machine.file("etc/a.yaml")
    machine.file("run/a.yaml.d/10.yaml")
    machine.file("usr/a.yaml.d/50.yaml")
    machine.file("etc/a.yaml.d/50.yaml")
    machine.file("usr/a.yaml.d/90.yaml")
    machine.file("usr/a.yaml.d/70.yaml")
    machine.file("etc/a.yaml.d/70.yaml", "-> /dev/null")
    machine.file("etc/a.yaml.d/.60.yaml")
    machine.file("etc/a.yaml.d/60.yaml~")
    assert machine.files() == [
        "etc/a.yaml",
        "run/a.yaml.d/10.yaml",
        "etc/a.yaml.d/50.yaml",
        "usr/a.yaml.d/90.yaml",
    ]


def test_mappings_merge_scalars_and_lists_replace(machine: Machine) -> None:
    machine.file("usr/base.yaml", f"policy: {{order: edf, realtime_users: [root, alice]}}\n{GAME}")
    machine.file(
        "etc/a.yaml", "extends: [base]\npolicy: {realtime_users: [bob]}\nclasses: {game: {level: 6}}"
    )
    assert machine.value()["policy"] == {"order": "edf", "realtime_users": ["bob"]}
    assert machine.game() == {"match": [{"comm": "game"}], "level": 6}


def test_null_takes_a_key_back(machine: Machine) -> None:
    machine.file("usr/base.yaml", "policy: {fair_share: 30%}\ndescription: x\n" + GAME)
    machine.file(
        "etc/a.yaml", "extends: [base]\npolicy: null\ndescription: null\nclasses: {game: {level: null}}"
    )
    loaded = machine.load()
    assert loaded.effective.value == {
        "schedctl": 1,
        "name": "a",
        "classes": {"game": {"match": [{"comm": "game"}]}},
    }
    assert loaded.profile.classes[0].level is None
    assert str(loaded.profile.policy.fair_share) == "1/10"


def test_mappings_of_a_class_merge_key_by_key(machine: Machine) -> None:
    machine.file("usr/base.yaml", GAME)
    boost = "boost: {max_level: 6, recovery: {after: 3, within: 1s, decay: 2s}}"
    machine.file("etc/base.yaml.d/1.yaml", f"classes: {{game: {{{boost}}}}}")
    dropin = machine.file("etc/a.yaml.d/2.yaml")
    machine.file("etc/a.yaml", "extends: [base]")

    def with_boost(said: str) -> Any:
        dropin.write_text(f"classes:\n  game:\n    boost: {said}\n")
        return machine.game().get("boost")

    recovery = {"after": 3, "within": "1s", "decay": "2s"}
    assert with_boost("{max_level: 7}") == {"max_level": 7, "recovery": recovery}
    assert with_boost("{recovery: {after: 5}}") == {"max_level": 6, "recovery": recovery | {"after": 5}}
    assert with_boost("{max_level: null}") == {"recovery": recovery}
    assert with_boost("{recovery: null}") == {"max_level": 6}
    assert with_boost("null") is None
    assert with_boost("{}") == {"max_level": 6, "recovery": recovery}
    with_boost("{recovery: {after: 5}}")
    found = machine.load().effective
    places = {key: found.origin(("classes", "game", "boost", "recovery", key)) for key in recovery}
    assert {key: Path(place.file).name for key, place in places.items()} == {
        "after": "2.yaml",
        "within": "1.yaml",
        "decay": "1.yaml",
    }


def test_match_replaces_and_match_add_appends(machine: Machine) -> None:
    machine.file("usr/base.yaml", GAME)
    machine.file("etc/a.yaml", "extends: [base]\nclasses: {game: {match_add: [{comm: two}]}}")
    dropin = machine.file("etc/a.yaml.d/1.yaml", "classes: {game: {match_add: [{comm: three}]}}")
    assert machine.game()["match"] == [{"comm": "game"}, {"comm": "two"}, {"comm": "three"}]
    dropin.write_text("classes: {game: {match: [{comm: only}], match_add: [{comm: and}]}}")
    assert machine.game()["match"] == [{"comm": "only"}, {"comm": "and"}]
    machine.file("run/a.yaml.d/2.yaml", "classes: {game: {match: [{comm: last}]}}")
    assert machine.game()["match"] == [{"comm": "last"}]


def test_items_added_to_nothing_are_taken_with_a_warning(machine: Machine) -> None:
    machine.file("etc/a.yaml", GAME)
    machine.file("etc/a.yaml.d/1.yaml", "classes: {gmae: {match_add: [{comm: x}], level: 3}}")
    profile = machine.load().profile
    assert [cls.name for cls in profile.classes] == ["game", "gmae"]
    (problem,) = profile.problems
    assert (problem.severity, problem.hint) == ("warning", "did you mean 'game'?")
    assert problem.file.endswith("1.yaml")


def test_state_is_evaluated_at_the_end(machine: Machine) -> None:
    machine.file("usr/base.yaml", GAME)
    machine.file("etc/a.yaml", "extends: [base]\nclasses: {game: {state: absent}}")
    assert "classes" not in machine.value()
    machine.file("etc/a.yaml.d/1.yaml", "classes: {game: {level: 7}}")
    assert "classes" not in machine.value(), "another key does not give it back"
    machine.file("etc/a.yaml.d/2.yaml", "classes: {game: {state: present}}")
    assert machine.game() == {"match": [{"comm": "game"}], "level": 7}


def test_when_of_a_class_a_dropin_and_a_parent(machine: Machine) -> None:
    machine.file("usr/base.yaml", GAME)
    machine.file("etc/small.yaml", "when: cpus < 8\nclasses: {game: {match: [{comm: small}]}}")
    machine.file("etc/a.yaml", "extends: [base, small]")
    machine.file("etc/a.yaml.d/1.yaml", "when: \"'laptop' in tags\"\nclasses: {game: {level: 2}}")
    machine.file("etc/a.yaml.d/2.yaml", "classes: {game: {when: not smt}}")
    assert machine.game() == {"match": [{"comm": "game"}], "level": 2}
    (game,) = machine.load(facts=FACTS | {"cpus": 4, "tags": []}).profile.classes
    assert (game.match[0].comm, game.level) == (("small",), 5)
    assert machine.load(facts=FACTS | {"smt": True}).profile.classes == ()
    with pytest.raises(ProfileError) as caught:
        machine.load("small")
    assert "not for this host" in caught.value.problems[0].message


def test_every_value_knows_its_file_and_line(machine: Machine) -> None:
    machine.file("usr/base.yaml", "classes:\n  game:\n    match:\n      - comm: game\n    level: 5")
    machine.file("etc/a.yaml", "extends: [base]\nclasses:\n  game:\n    match_add:\n      - comm: two")
    machine.file("etc/a.yaml.d/1.yaml", "policy:\n  fair_share: 20%\nclasses: {game: {deadline: 1ms}}")
    found = machine.load().effective

    def place(*path: str | int) -> str:
        origin = found.origin(path)
        return f"{Path(origin.file).relative_to(machine.root)}:{origin.line}"

    assert place("name") == "etc/a.yaml:2"
    assert place("classes", "game", "level") == "usr/base.yaml:7"
    assert place("classes", "game", "match", 0, "comm") == "usr/base.yaml:6"
    assert place("classes", "game", "match", 1, "comm") == "etc/a.yaml:7"
    assert place("classes", "game", "deadline") == "etc/a.yaml.d/1.yaml:3"
    assert place("policy", "fair_share") == "etc/a.yaml.d/1.yaml:2"
    assert place("classes", "game") == "usr/base.yaml:5"


def test_the_first_declared_class_is_of_the_lowest_layer(machine: Machine) -> None:
    machine.file("usr/base.yaml", "classes: {one: {match: [{comm: a}]}, two: {match: [{comm: b}]}}")
    machine.file("etc/a.yaml", "extends: [base]\nclasses: {new: {match: [{comm: c}]}, two: {weight: 50}}")
    assert list(machine.value()["classes"]) == ["one", "two", "new"]


def test_a_path_gets_no_dropins_but_its_parents(machine: Machine, tmp_path: Path) -> None:
    machine.file("etc/base.yaml", GAME)
    machine.file("etc/base.yaml.d/1.yaml", "classes: {game: {level: 1}}")
    (tmp_path / "home").mkdir()
    mine = tmp_path / "home" / "mine.yaml"
    mine.write_text("schedctl: 1\nname: mine\nextends: [base, beside]\n")
    mine.with_name("beside.yaml").write_text("schedctl: 1\nname: beside\nclasses: {game: {weight: null}}\n")
    (tmp_path / "home" / "mine.yaml.d").mkdir()
    (tmp_path / "home" / "mine.yaml.d" / "1.yaml").write_text("classes: {game: {level: 2}}")
    loaded = Loader(machine.library).by_path(mine)
    assert [Path(layer.document.file).name for layer in loaded.layers] == [
        "base.yaml",
        "1.yaml",
        "beside.yaml",
        "mine.yaml",
    ]
    assert loaded.profile.classes[0].level == 1


def test_a_copy_is_the_same_without_its_files(machine: Machine) -> None:
    machine.file("usr/base.yaml", GAME)
    file = machine.file("etc/a.yaml", "extends: [base]\nclasses: {game: {match_add: [{comm: two}]}}")
    machine.file("etc/a.yaml.d/1.yaml", "classes: {game: {when: cpus == 8}}")
    loaded = machine.load()
    copy = machine.root / "copy.json"
    copy.write_bytes(to_copy(loaded))
    file.unlink()
    again = Loader(Library(), lambda: FACTS).by_copy(copy)
    assert again.effective.value == loaded.effective.value
    assert again.effective.origin(("classes", "game", "match", 1)).file == str(file)


def test_a_name_that_is_close_is_proposed(machine: Machine) -> None:
    machine.file("etc/desktop.yaml")
    with pytest.raises(MissingError) as caught:
        machine.load("dektop")
    assert caught.value.hint == "did you mean 'desktop'?"
