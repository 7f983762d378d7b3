# SPDX-License-Identifier: GPL-2.0-only
"""From a profile's text to the image: what exceeds a limit is refused by name and place."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from schedctl.errors import Problem, ProfileError
from schedctl.image import abi, index
from schedctl.image.abi import decode, encode
from schedctl.image.compile import compile_image
from schedctl.image.model import ImageClass, ImageItem, ImageRule, PolicyImage
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
    image = replace(image, rules=tuple(rule for rule in image.rules if not rule.implicit))
    assert image == PolicyImage(
        "x",
        Order.EDF,
        Fraction(1, 10),
        (
            ImageClass("default", Tier.FAIR, 0, 0, 0, 50),
            ImageClass("late", Tier.REALTIME, 1, 0, 128_000_000, 100, timer_slack_ns=1),
            ImageClass("game", Tier.REALTIME, 7, 0, 2_000_000, 100, timer_slack_ns=1),
            ImageClass("slow", Tier.BACKGROUND, 0, 0, 0, 10_000, max_level=1),
        ),
        (
            ImageRule("game", ImageItem(comm=("g*",), cgroup=("/x", "y"))),
            ImageRule("game", ImageItem(cgroup=("z",))),
            ImageRule("slow", ImageItem(comm=("s",))),
            ImageRule("late", ImageItem(comm=("a", "b"))),
        ),
    )
    assert survives(image)


def test_as_many_classes_as_fit() -> None:
    classes = {f"c{i}": named(f"c{i}") for i in range(249)}
    image = image_of({**classes, "default": {"weight": 5}})
    assert len(image.classes) == 250 < abi.MAX_CLASSES
    assert survives(image)
    problem = refused({**classes, "more": named("more"), "most": named("most")})
    assert problem.message == "251 classes, at most 249 beside 'default'"


def test_as_many_rules_as_may_share_a_name() -> None:
    def item(number: int) -> dict[str, str]:
        return {"comm": "same", "exe": f"*/{number}*"}

    fitting = [item(i) for i in range(index.MAX_BUCKET_RULES)]
    image = image_of({"one": {"match": fitting}})
    assert survives(image)
    problem = refused({"one": {"match": fitting}, "more": {"match": [item(99)]}})
    assert problem.message == "65 rules are found by a comm that is 'same', at most 64"
    assert (problem.path, problem.line) == ("classes.more", 3)


def test_as_many_rules_as_every_thread_is_held_against() -> None:
    fitting = [{"comm": f"*{i}*"} for i in range(index.MAX_SCANNED)]
    assert survives(image_of({"one": {"match": fitting}}))
    problem = refused({"one": {"match": fitting}, "more": {"match": [{"comm": "*x*"}]}})
    assert problem.message.startswith("65 rules have no text that a name begins or ends with")
    assert (problem.path, problem.line) == ("classes.more", 3)


def test_as_many_patterns_as_one_rule_may_have() -> None:
    def of(number: int) -> dict[str, Any]:
        return {"match": [{"comm": "x", "not": {"exe": [f"/{i}" for i in range(number)]}}]}

    assert survives(image_of({"one": of(index.MAX_RULE_PATTERNS - 1)}))
    problem = refused({"one": of(index.MAX_RULE_PATTERNS)})
    assert problem.message == "64 patterns besides the one it is found by, at most 63"


def test_more_lengths_than_are_looked_up_are_shortened() -> None:
    names = [f"/usr/lib/{'x' * i}-{i:02d}*" for i in range(2 * index.MAX_LENGTHS)]
    image = image_of({"one": {"match": [{"exe": names}]}})
    assert survives(image)
    _, lengths = index.arrange(image.rules)
    assert index.MAX_LENGTHS - 1 <= len(lengths[index.Subject.EXE][0]) <= index.MAX_LENGTHS


@pytest.mark.parametrize(
    ("key", "longest", "message"),
    [
        ("comm", "n" * 15, "a thread's name has at most 15 bytes"),
        ("comm", "[" + "n" * 29 + "]", "the pattern has 32 bytes, at most 31 fit"),
        ("cgroup", "é" * 63 + "g", "the pattern has 128 bytes, at most 127 fit"),
        ("cgroup", "g" * 127, "the pattern is longer than 127 characters"),
    ],
)
def test_the_longest_patterns(key: str, longest: str, message: str) -> None:
    assert survives(image_of({"game": {"match": [{key: longest}], "level": 6}}))
    longer = "[n" + longest[1:] if longest[0] == "[" else longest + "n"
    problem = refused({"game": {"match": [{key: longer}], "level": 6}})
    assert problem.message.startswith(message)
    assert problem.path == f"classes.game.match[0].{key}"


def test_the_longest_names() -> None:
    longest = "n" * (abi.NAME_LEN - 1)
    image = image_of({longest: named("n")}, longest)
    assert survives(image)
    assert encode(image, 0, 1).count(longest.encode() + b"\0") == 2
    assert "is not a valid name" in refused({longest + "n": named("n")}).message
    assert "is not a valid name" in refused({}, longest + "n").message
