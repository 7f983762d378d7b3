# SPDX-License-Identifier: GPL-2.0-only
"""Mutated profiles are answered, cat prints the same profile, merging is associative."""

from __future__ import annotations

import os
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedctl.profile import text
from schedctl.profile.document import load_text
from schedctl.profile.load import Loader
from schedctl.profile.merge import Pieces, effective, merge, pieces_of
from tests.profile import fuzz

MAX_GROWTH_MIB = 300
# https://yaml.org/type/bool.html, and what else YAML 1.1 does not read as text
WORDS = "y Y yes Yes YES n N no No NO on On ON off Off OFF 1:30 1_000 2026-01-01 010 0o7 0b1 = <"


def test_mutated_profiles_are_answered() -> None:
    """500, or as many as SCHEDCTL_FUZZ says."""
    number, before = int(os.environ.get("SCHEDCTL_FUZZ", "500")), fuzz.peak_mib()
    tally = fuzz.run(number)
    assert tally.accepted + tally.refused >= number
    assert min(tally.accepted, tally.refused) > number // 50, "mutations must hit and miss"
    assert fuzz.peak_mib() - before < MAX_GROWTH_MIB


@pytest.mark.parametrize("word", WORDS.split())
def test_a_word_of_yaml_1_1_stays_text(word: str) -> None:
    source = f"schedctl: 1\nname: x\ndescription: {word}\nclasses: {{a: {{match: [{{comm: {word}}}]}}}}\n"
    loaded = Loader().by_text(source.encode(), "<words>")
    assert loaded.profile.description == word
    assert loaded.profile.classes[0].match[0].comm == (word,)
    again = Loader().by_text(text.dump(loaded.effective).encode(), "<cat>")
    assert again.effective.value == loaded.effective.value


@given(st.text(min_size=1, max_size=20).filter(lambda t: not t.isspace()))
def test_any_text_survives_cat(said: str) -> None:
    value = {"schedctl": 1, "name": "x", "description": said}
    again = load_text(text.flow(value), "<flow>")
    assert again.value == value


items = st.fixed_dictionaries({"comm": st.sampled_from(["a", "b*", "on", "c d"])})
recoveries = st.fixed_dictionaries(
    {},
    optional={
        "after": st.none() | st.integers(1, 3),
        "within": st.none() | st.sampled_from(["1s", "2s"]),
        "decay": st.none() | st.just("4s"),
    },
)
boosts = st.fixed_dictionaries(
    {},
    optional={
        "max_level": st.none() | st.just("none") | st.integers(5, 7),
        "recovery": st.none() | recoveries,
    },
)
classes = st.fixed_dictionaries(
    {},
    optional={
        "match": st.none() | st.lists(items, min_size=1, max_size=2),
        "match_add": st.lists(items, min_size=1, max_size=2),
        "level": st.none() | st.integers(1, 7),
        "state": st.sampled_from(["absent", "present", None]),
        "description": st.none() | st.sampled_from(["one", "two"]),
        "boost": st.none() | boosts,
    },
)
dropins = st.fixed_dictionaries(
    {},
    optional={
        "description": st.none() | st.just("said"),
        "policy": st.none() | st.fixed_dictionaries({}, optional={"order": st.sampled_from(["edf", None])}),
        "classes": st.dictionaries(st.sampled_from(["a", "b", "c"]), classes, max_size=3),
    },
)


def pieces(nr: int, value: Any) -> Pieces:
    return pieces_of(load_text(text.flow(value), f"{nr}.yaml"))


@given(st.lists(dropins, min_size=3, max_size=5), st.data())
def test_merge_is_associative(values: list[Any], data: st.DataObject) -> None:
    layers = [pieces(nr, value) for nr, value in enumerate(values)]
    flat = reduce(merge, layers)
    cut = data.draw(st.integers(1, len(layers) - 1))
    assert merge(reduce(merge, layers[:cut]), reduce(merge, layers[cut:])) == flat
    base = load_text("schedctl: 1\nname: x\n", "base.yaml")
    grouped = effective(base, merge(pieces(9, {}), flat))
    assert grouped == effective(base, flat)
    assert list(grouped.places) == list(effective(base, flat).places)
