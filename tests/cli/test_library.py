# SPDX-License-Identifier: GPL-2.0-only
"""cat and list: what the layers make of a profile, and which profiles there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedctl import paths
from schedctl.kernel import real
from tests.cli.conftest import Run
from tests.cli.output import checked
from tests.kernel.fake import FakeKernel

MINE = """\
schedctl: 1
name: mine
extends: [good]
classes:
  game: {match_add: [{comm: "on"}], deadline: 3ms}
  gone: {match: [{comm: x}]}
"""
DROPIN = "policy: {fair_share: 20%}\nclasses: {gone: {state: absent}}\n"


def folder() -> Path:
    return paths.under_root("/etc/schedctl/profiles")


@pytest.fixture
def layered(run: Run) -> Run:
    (folder() / "mine.yaml").write_text(MINE)
    (folder() / "mine.yaml.d").mkdir()
    (folder() / "mine.yaml.d" / "50-share.yaml").write_text(DROPIN)
    return run


def test_cat_is_the_merged_profile(layered: Run) -> None:
    code, out, err = layered("cat", "mine")
    assert (code, err) == (0, "")
    assert out == (
        "schedctl: 1\nname: mine\npolicy:\n  fair_share: 20%\nclasses:\n  game:\n    match:\n"
        '      - {comm: game}\n      - {comm: "on"}\n    level: 6\n    deadline: 3ms\n'
    )


def test_cat_says_where_each_value_comes_from(layered: Run) -> None:
    _, out, _ = layered("cat", "mine", "--origins")
    good, mine = folder() / "good.yaml", folder() / "mine.yaml"
    dropin = folder() / "mine.yaml.d" / "50-share.yaml"
    lines = dict(line.strip().split("  # ") for line in out.splitlines() if "  # " in line)
    said = {key.strip(): place for key, place in lines.items()}
    assert said["- {comm: game}"] == f"{good}:4"
    assert said['- {comm: "on"}'] == f"{mine}:5"
    assert said["fair_share: 20%"] == f"{dropin}:1"
    assert said["order: edf"] == "default"
    assert said["tier: realtime"] == "default"
    assert out.splitlines()[:3] == [f"# {file}" for file in (good, mine, dropin)]
    document = checked("cat", layered("cat", "mine", "--origins", "--json")[1])
    assert document["files"] == [str(good), str(mine), str(dropin)]
    assert document["origins"]["policy.fair_share"] == f"{dropin}:1"
    assert document["origins"]["classes.game.match[1]"] == f"{mine}:5"
    assert document["origins"]["classes.game.deadline"] == f"{mine}:5"


WHOLE = """\
schedctl: 1
name: whole
policy: {background_share: 2.5%}
classes:
  control:
    match: [{comm: c}]
    level: 5
    period: 100Hz
    runtime: 2ms
    boost: {recovery: {after: 3, within: 1s, decay: 2s}}
  frames: {match: [{comm: f}], level: auto, period: auto}
  default: {slice: 10ms}
"""


def test_cat_says_the_defaults_that_act(run: Run) -> None:
    (folder() / "whole.yaml").write_text(WHOLE)
    (folder() / "whole.yaml.d").mkdir()
    dropin = folder() / "whole.yaml.d" / "1.yaml"
    dropin.write_text("classes: {control: {boost: {recovery: {decay: 5s}}, slice: 1ms}}\n")
    document = checked("cat", run("cat", "whole", "--origins", "--json")[1])
    origins, classes = document["origins"], document["profile"]["classes"]
    here = "classes.control.boost"
    assert origins[f"{here}.recovery.after"] == f"{folder() / 'whole.yaml'}:10"
    assert origins[f"{here}.recovery.decay"] == f"{dropin}:1"
    assert (origins[f"{here}.max_level"], classes["control"]["boost"]["max_level"]) == ("default", 7)
    assert origins["classes.control.slice"] == f"{dropin}:1"
    defaults = {path for path, place in origins.items() if place == "default"}
    assert defaults >= {"policy.power", "policy.cpu_max", "classes.control.overrun"}
    assert defaults >= {"classes.frames.rate_monotonic", "classes.frames.slice", "classes.default.weight"}
    assert not {"classes.frames.deadline", "classes.frames.overrun", "classes.default.boost"} & set(origins)
    out = run("cat", "whole", "--origins")[1]
    assert "        decay: 5s" in out
    assert out.count("# default, the period") == 1
    assert run("show", "-", stdin=out)[1] == run("show", "whole")[1]
    checked("show", run("show", "whole", "--json")[1])


@pytest.mark.parametrize("words", [["cat", "mine"], ["cat", "mine", "--origins"]])
def test_what_cat_prints_is_the_same_profile(layered: Run, words: list[str]) -> None:
    out = layered(*words)[1]
    assert layered("show", "-", stdin=out)[1] == layered("show", "mine")[1]
    again = layered("cat", "-", stdin=out)[1]
    assert (
        again
        == "\n".join(line.split("  # ")[0].rstrip() for line in out.splitlines() if line[0] != "#") + "\n"
    )


def test_cat_of_a_bad_profile(run: Run) -> None:
    code, out, err = run("cat", "bad")
    assert (code, out) == (65, "")
    assert "bad.yaml:4:40: error: 60 is out of range" in err


def rows(run: Run) -> dict[str, dict[str, object]]:
    document = checked("list", run("list", "--json")[1])
    return {row["name"]: row for row in document["profiles"]}


def test_list(layered: Run) -> None:
    (folder() / "desktop.yaml").symlink_to("/dev/null")
    (folder() / "torn.yaml").write_text("classes: [\n")
    paths.standing_file().write_text("profile: mine\n")
    found = rows(layered)
    mine = found["mine"]
    assert (mine["file"], mine["layer"], mine["dropins"]) == (str(folder() / "mine.yaml"), "administrator", 1)
    assert (mine["standing"], mine["selected"], mine["running"]) == (True, True, None)
    assert found["desktop"]["masked"] is True
    assert found["server"]["layer"] == "package"
    assert found["server"]["description"] == "Requests first, housekeeping last"
    assert found["torn"]["problem"]
    lines = {line.split()[0]: line for line in layered("list")[1].splitlines()}
    assert "standing, selected" in lines["mine"]
    assert "(1 drop-in)" in lines["mine"]
    assert "masked" in lines["desktop"]
    assert "cannot be used" in lines["torn"]


def test_list_knows_what_runs_and_what_was_selected(layered: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = FakeKernel()
    monkeypatch.setattr(real, "RealKernel", lambda: kernel)
    paths.standing_file().write_text("profile: good\n")
    assert not any(row["running"] for row in rows(layered).values())
    assert layered("apply", "mine")[0] == 0
    found = rows(layered)
    marks = [(found[n]["standing"], found[n]["selected"], found[n]["running"]) for n in ("good", "mine")]
    assert marks == [(True, False, False), (False, True, True)]
    assert layered("detach")[0] == 0
    found = rows(layered)
    assert not any(row["running"] or row["selected"] for row in found.values())


def test_persist_is_the_standing_choice(layered: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = FakeKernel()
    monkeypatch.setattr(real, "RealKernel", lambda: kernel)
    paths.standing_file().write_text("# chosen by hand\nprofile: good  # for now\ntags: [web]\n")
    assert layered("apply", "good")[0] == 0
    code, said, _ = layered("apply", "--persist", "mine")
    assert (code, said.splitlines()[-1]) == (0, f"{paths.standing_file()} names it from now on")
    assert paths.standing_file().read_text() == "# chosen by hand\nprofile: mine  # for now\ntags: [web]\n"
    found = rows(layered)["mine"]
    assert (found["standing"], found["selected"], found["running"]) == (True, True, True)
    assert layered("apply", "--persist", "mine", "--json")[0] == 0


@pytest.mark.parametrize("words", [[], ["-"], ["./mine.yaml"]])
def test_persist_needs_a_name(layered: Run, words: list[str]) -> None:
    code, _, err = layered("apply", "--persist", *words)
    assert code == 64
    assert "--persist needs the name of a profile" in err
    assert not paths.standing_file().exists()


def test_persist_that_cannot_be_written_changes_nothing(
    layered: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = FakeKernel()
    monkeypatch.setattr(real, "RealKernel", lambda: kernel)
    paths.standing_file().write_text("{profile: good}\n")
    assert layered("apply", "good")[0] == 0
    paths.standing_file().write_text("profile:\n  good\n")
    assert layered("apply", "--persist", "mine")[0] == 73
    assert rows(layered)["good"]["running"]
