# SPDX-License-Identifier: GPL-2.0-only
"""plan -o, images and drift on the fake kernel, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from schedctl import paths
from schedctl.cli.main import main
from schedctl.kernel.protocol import Quota
from schedctl.observe import observe
from schedctl.reconcile import reconcile
from schedctl.selected import Selected
from tests.cli.machine import Machine


def test_a_plan_is_carried_out_as_it_says(machine: Machine, tmp_path: Path) -> None:
    machine("apply", "one")
    file = str(tmp_path / "a.plan")
    said = machine("plan", "two", "-o", file)
    assert said["exit"] == 2
    assert {change["mode"] for change in said["plan"]["changes"]} == {"live"}
    assert machine("plan", file)["plan"] == said["plan"]
    done = machine("apply", file)
    assert (done["exit"], done["plan"]["changes"]) == (0, said["plan"]["changes"])
    assert machine.noted() == Selected.profile("two"), "the name still means what was planned"
    assert machine("plan")["plan"]["changes"] == []


def test_a_plan_that_is_stale_names_what_moved(machine: Machine, tmp_path: Path) -> None:
    machine("apply", "one")
    file = str(tmp_path / "a.plan")
    machine("plan", "two", "-o", file)
    machine("apply", "three")
    calls = len(machine.kernel.calls)
    for verb in ("apply", "plan"):
        found = machine(verb, file)
        assert found["exit"] == 75
        assert "classes.game.level: 6 -> 4" in found["problems"][0]["message"]
    machine("detach")
    assert "nothing is attached now" in machine("apply", file)["problems"][0]["message"]
    assert machine.kernel.calls[calls:] == ["detach"]
    machine("plan", "two", "-o", file)
    machine("apply", "one")
    assert "nothing was attached" in machine("apply", file)["problems"][0]["message"]
    machine("detach")
    assert machine("apply", file)["exit"] == 0
    assert machine.profile() == "two"


def test_a_plan_of_a_profile_that_was_edited_since(machine: Machine, tmp_path: Path) -> None:
    """What was planned is carried out; the name means something else by now, and is not noted."""
    machine("apply", "one")
    file = str(tmp_path / "a.plan")
    machine("plan", "two", "-o", file)
    profile = tmp_path / "etc/schedctl/profiles/two.yaml"
    profile.write_text(profile.read_text().replace("5", "3"))
    assert machine("apply", file)["exit"] == 0
    image = observe(machine.kernel).image
    assert image is not None
    assert [cls.level for cls in image.classes] == [0, 5]
    assert machine.noted() == Selected.copy(paths.copies_dir() / "two.image.json")
    assert machine("status")["drift"] is False
    assert machine("plan")["exit"] == 0
    assert machine("show")["exit"] == 66, "there is no profile"


def test_the_image_that_runs_changes_nothing(machine: Machine, tmp_path: Path) -> None:
    machine("apply", "one")
    calls, note = list(machine.kernel.calls), machine.noted()
    for name, text in (("a", machine.said("show", "one")), ("b", json.dumps(machine("show", "--live")))):
        file = tmp_path / f"{name}.yaml"
        file.write_text(text)
        assert machine("plan", str(file))["exit"] == 0
        found = machine("apply", str(file))
        assert (found["exit"], found["changed"]) == (0, False)
    assert (machine.kernel.calls, machine.noted()) == (calls, note)


def test_an_image_of_another_machine_is_applied_and_not_followed(machine: Machine, tmp_path: Path) -> None:
    machine("apply", "one")
    image = machine("show", "two")["image"]
    image["classes"]["game"]["level"] = 2
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump(image))
    assert machine("apply", str(file))["exit"] == 0
    assert machine("show", "--live")["image"] == image
    assert machine.noted().value.endswith("two.image.json")


BAD_IMAGES: list[Callable[[dict[str, Any]], object]] = [
    lambda image: image.pop("order"),
    lambda image: image.update(more=1),
    lambda image: image.update(fair_share="95%"),
    lambda image: image.update(schedctl_image=2),
    lambda image: image["classes"].pop("default"),
    lambda image: image["classes"]["game"].update(level=9),
    lambda image: image["classes"]["game"].update(level="6"),
    lambda image: image["classes"]["game"].update(weight=2**40),
    lambda image: image["classes"]["game"].update(deadline_ns=10**12),
    lambda image: image["classes"]["game"].update(slice_ns=1),
    lambda image: image["rules"].append({"class": "nobody", "match": {"comm": ["x"]}}),
    lambda image: image["rules"].append({"class": "game", "match": {"comm": ["x" * 300]}}),
    lambda image: image["rules"].append({"class": "game", "match": {"comm": "x"}}),
    lambda image: image.update(profile="x" * 200),
    lambda image: image.update(classes=[]),
]


@pytest.mark.parametrize("number", range(len(BAD_IMAGES)))
def test_a_bad_image_is_refused_with_a_sentence(machine: Machine, tmp_path: Path, number: int) -> None:
    machine("apply", "one")
    image = machine("show", "two")["image"]
    BAD_IMAGES[number](image)
    file = tmp_path / "x.yaml"
    file.write_text(json.dumps(image))
    calls = list(machine.kernel.calls)
    for verb in ("plan", "apply"):
        found = machine(verb, str(file))
        assert found["exit"] == 65
        assert found["problems"][0]["file"] == str(file)
    assert machine.kernel.calls == calls
    assert not list(paths.copies_dir().glob(".*"))


@pytest.mark.parametrize("change", [{"schedctl_plan": 2}, {"desired": 1}, {"live": []}])
def test_a_bad_plan_is_refused(machine: Machine, tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "a.plan"
    machine("plan", "two", "-o", str(file))
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert machine("apply", str(file))["exit"] in (65, 66)


def test_a_quota_that_is_lost_already_does_not_keep_the_live_image_out(
    machine: Machine, tmp_path: Path
) -> None:
    profile = tmp_path / "etc/schedctl/profiles/one.yaml"
    profile.write_text(profile.read_text() + "policy: {cpu_max: ignore}\n")
    machine.kernel.limits = (Quota("/a", 1000, 100_000, ""),)
    assert machine("apply", "one")["exit"] == 0
    file = tmp_path / "x.yaml"
    file.write_text(json.dumps(machine("show", "--live")))
    assert machine("apply", str(file))["exit"] == 0
    assert machine("apply", "two")["exit"] == 69


def test_a_plan_cannot_be_written(machine: Machine, tmp_path: Path) -> None:
    assert machine("plan", "two", "-o", str(tmp_path / "no" / "file"))["exit"] == 73
    facts = tmp_path / "facts.json"
    facts.write_text("{}")
    assert machine("plan", "two", "-o", "x", "--facts", str(facts))["exit"] == 64


def test_drift_says_what_was_found(machine: Machine) -> None:
    machine("apply", "one")
    assert machine("plan", "two")["drift"] is None
    image = observe(machine.kernel).image
    assert image is not None
    main(["apply", "two"])
    two = observe(machine.kernel).image
    main(["apply", "one"])
    assert two is not None
    reconcile(machine.kernel, two)  # somebody else
    found = machine("plan", "three")
    assert (found["drift"]["selected"], found["drift"]["found"]) == ("one", "two")
    assert "found: profile two runs, and profile one is selected" in machine.said("plan", "three")
    machine.kernel.detach()
    assert machine("plan", "three")["drift"] == {"selected": "one", "found": None, "changes": []}
