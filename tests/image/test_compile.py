# SPDX-License-Identifier: GPL-2.0-only
"""From a profile's text to the image: what exceeds a limit is refused by name and place."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest

from schedctl.errors import Problem, ProfileError
from schedctl.image import abi
from schedctl.image.abi import decode, encode
from schedctl.image.compile import compile_image
from schedctl.image.model import ImageClass, ImageRule, PolicyImage
from schedctl.profile import load_profile_bytes
from schedctl.profile.model import Order, Tier
from schedctl.resolve.assignment import resolve


def image_of(classes: dict[str, Any], name: str = "x") -> PolicyImage:
    """One class per line, so that a problem's line is the class's number + 1."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in classes.items()]
    head = f'{{"schedctl": 1, "name": "{name}", "classes": {{'
    text = "\n".join([head, ",\n".join(lines), "}}"])
    return compile_image(resolve(load_profile_bytes(text.encode(), "x.yaml")))


def refused(classes: dict[str, Any], name: str = "x") -> Problem:
    with pytest.raises(ProfileError) as caught:
        image_of(classes, name)
    (problem,) = caught.value.problems
    return problem


def named(*comms: str, **keys: Any) -> dict[str, Any]:
    return {"match": [{"comm": list(comms)}], **keys}


def survives(image: PolicyImage) -> bool:
    return decode(encode(image, 0, 1))[0] == image


def test_an_image() -> None:
    image = image_of(
        {
            "late": named("a", "b", level=1, precedence=-1),
            "game": {"match": [{"comm": "g*", "cgroup": ["/x", "y"]}, {"cgroup": "z"}], "level": 7},
            "default": {"weight": 50},
            "slow": named("s", tier="background", weight=10_000),
        }
    )
    assert image == PolicyImage(
        "x",
        Order.EDF,
        Fraction(1, 10),
        (
            ImageClass("default", Tier.FAIR, 0, 0, 0, 50),
            ImageClass("late", Tier.REALTIME, 1, 0, 128_000_000, 100),
            ImageClass("game", Tier.REALTIME, 7, 0, 2_000_000, 100),
            ImageClass("slow", Tier.BACKGROUND, 0, 0, 0, 10_000),
        ),
        (
            ImageRule("game", "g*", "/x"),
            ImageRule("game", "g*", "y"),
            ImageRule("game", None, "z"),
            ImageRule("slow", "s", None),
            ImageRule("late", "a", None),
            ImageRule("late", "b", None),
        ),
    )
    assert survives(image)


def test_as_many_classes_as_fit() -> None:
    classes = {f"c{i}": named(f"c{i}") for i in range(abi.MAX_CLASSES - 1)}
    assert len(image_of(classes).classes) == abi.MAX_CLASSES
    assert survives(image_of(classes))
    problem = refused({**classes, "more": named("more")})
    assert problem.message == "64 classes, at most 63 fit"
    assert (problem.path, problem.line) == ("classes.more", abi.MAX_CLASSES + 1)
    assert survives(image_of({**classes, "default": {"weight": 5}}))


def test_as_many_rules_as_fit() -> None:
    half = [f"t{i}" for i in range(abi.MAX_RULES // 2)]
    classes = {"one": named(*half), "two": named(*half)}
    assert len(image_of(classes).rules) == abi.MAX_RULES
    assert survives(image_of(classes))
    problem = refused({**classes, "more": named("more"), "most": named("most")})
    assert problem.message == "514 patterns after all lists are expanded, at most 512 fit"
    assert (problem.path, problem.line) == ("classes.more", 4)


def test_as_many_cgroup_patterns_as_fit() -> None:
    cgroups = [f"g{i}" for i in range(abi.MAX_CGROUPS)]
    classes = {"one": {"match": [{"cgroup": cgroups}]}, "two": {"match": [{"cgroup": cgroups}]}}
    assert len(image_of(classes).rules) == 2 * abi.MAX_CGROUPS
    assert survives(image_of(classes))
    problem = refused({**classes, "more": {"match": [{"cgroup": ["g1", "other"]}]}})
    assert problem.message == "65 different cgroup patterns, at most 64 fit"
    assert (problem.path, problem.line) == ("classes.more", 4)


@pytest.mark.parametrize(
    ("key", "longest", "message"),
    [
        ("comm", "n" * 15, "a thread's name has at most 15 bytes"),
        ("comm", "*" + "n" * 30, "the pattern has 32 bytes, at most 31 fit"),
        ("comm", "é" * 15 + "*", "the pattern has 32 bytes, at most 31 fit"),
        ("cgroup", "é" * 63 + "g", "the pattern has 128 bytes, at most 127 fit"),
        ("cgroup", "g" * 127, "the pattern is longer than 127 characters"),
    ],
)
def test_the_longest_patterns(key: str, longest: str, message: str) -> None:
    assert survives(image_of({"game": {"match": [{key: longest}], "level": 6}}))
    problem = refused({"game": {"match": [{key: longest + "n"}], "level": 6}})
    assert problem.message.startswith(message)
    assert problem.path == f"classes.game.match[0].{key}"


def test_the_longest_names() -> None:
    longest = "n" * (abi.NAME_LEN - 1)
    image = image_of({longest: named("n")}, longest)
    assert survives(image)
    assert encode(image, 0, 1).count(longest.encode() + b"\0") == 2
    assert "is not a valid name" in refused({longest + "n": named("n")}).message
    assert "is not a valid name" in refused({}, longest + "n").message
