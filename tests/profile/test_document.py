# SPDX-License-Identifier: GPL-2.0-only
"""YAML text to values with places: the 1.2 core schema, and a sentence for whatever else comes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schedctl.errors import Problem, ProfileError, format_problem
from schedctl.image.compile import compile_image
from schedctl.profile import load_profile_bytes
from schedctl.profile.document import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, MAX_VALUES, load_bytes
from schedctl.resolve.assignment import resolve

GOOD = "schedctl: 1\nname: good\nclasses:\n  game: {match: [{comm: game}], level: 6, period: 60Hz}\n"


def value_of(text: str) -> Any:
    return load_bytes(text.encode(), "x.yaml").value


def problems_of(data: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(ProfileError) as caught:
        load_bytes(data.encode() if isinstance(data, str) else data, "x.yaml")
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, None) for text in ("", "~", "null", "Null", "NULL")],
        *[(text, True) for text in ("true", "True", "TRUE")],
        *[(text, False) for text in ("false", "False", "FALSE")],
        *[("0", 0), ("-0", 0), ("12", 12), ("+5", 5), ("-5", -5), ("0x1F", 31)],
        *[("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-1.5E-1", -0.15)],
        *[(text, text) for text in ("on", "off", "yes", "no", "y", "n", "On", "YES", "tRUE", "nULL")],
        *[(text, text) for text in ("010", "0o17", "0b1", "1_000", "1:30", "60Hz", "128/48kHz", "10%")],
        *[(text, text) for text in ("2026-11-24", ".inf", ".nan", "=", "<", "0x", "--1", "1.2.3", "9" * 41)],
        *[(f'"{text}"', text) for text in ("", "true", "12", "~")],
        *[(f"'{text}'", text) for text in ("", "true", "12", "~")],
        ("|\n  12", "12"),
        (">\n  true", "true"),
    ],
)
def test_a_scalar(text: str, value: object) -> None:
    found = value_of(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_every_value_and_key_has_its_place() -> None:
    document = load_bytes(b"# comment\na:\n  - b: 1\n    c: [x, 'y']\n", "x.yaml")
    places = {path: (origin.line, origin.column) for path, origin in document.origins.items()}
    assert places == {
        (): (2, 1),
        ("a",): (3, 3),
        ("a", 0): (3, 5),
        ("a", 0, "b"): (3, 8),
        ("a", 0, "c"): (4, 8),
        ("a", 0, "c", 0): (4, 9),
        ("a", 0, "c", 1): (4, 12),
    }
    keys = {path: (origin.line, origin.column) for path, origin in document.keys.items()}
    assert keys == {("a",): (2, 1), ("a", 0, "b"): (3, 5), ("a", 0, "c"): (4, 5)}
    assert document.origin(("a", 0, "c", 1)).source == "    c: [x, 'y']"
    assert document.origin(("a", 7, "gone")) == document.origin(("a",))
    assert document.key_origin(("a", 0, "gone")) == document.origin(("a", 0))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\u2028"], ids=ascii)
def test_line_ends(end: str) -> None:
    document = load_bytes(f"# ü\u00e9\U0001f600{end}a: 1{end}ü: x".encode(), "x.yaml")
    assert document.value == {"a": 1, "ü": "x"}
    origin = document.origin(("ü",))
    assert origin.column == 4
    assert origin.source == "ü: x"


def test_a_byte_order_mark_is_passed_over() -> None:
    document = load_bytes(b"\xef\xbb\xbfa: 1\nb: 2\n", "x.yaml")
    assert document.value == {"a": 1, "b": 2}
    assert (document.origin(("b",)).line, document.origin(("b",)).column) == (2, 4)


@pytest.mark.parametrize(
    ("data", "line", "column", "message"),
    [
        (b"a: 1\nb: \xff\n", 2, 4, "this byte is not UTF-8"),
        (b"\xff\xfea\0", 1, 1, "this byte is not UTF-8"),
        (b"a:\n\tb: 1\n", 2, 1, "a tab cannot indent YAML"),
        (b"a: 1\na: 2\n", 2, 1, "'a' stands here twice, first in line 1"),
        (b"{a: 1, b: {c: 1, c: 2}}", 1, 18, "'c' stands here twice, first in line 1"),
        (b"1: x\n", 1, 1, "a key must be text"),
        (b"true: x\n", 1, 1, "a key must be text"),
        (b"? [a]\n: x\n", 1, 3, "a key must be text"),
        (b"<<: {a: 1}\n", 1, 1, "'<<' is not allowed"),
        (b"a: !!int 3\n", 1, 4, "the tag !!int is not allowed"),
        (b"a: !!python/object/apply:os.system [id]\n", 1, 4, "the tag !!python/object/apply:os.system"),
        (b"a: *b\n", 1, 4, "a word that begins"),
        (b"a: 1\n--- \nb: 2\n", 2, 1, "a second document begins here"),
        (b"a: b: c\n", 1, 5, "a ':' is not allowed here"),
        (b"a: \0\n", 0, 0, "not YAML"),
        (b"a: \x07\n", 0, 0, "not YAML"),
        (b'a: "\\ud800"\n', 1, 7, "found invalid Unicode character escape code"),
    ],
)
def test_a_mistake_is_at_its_place(data: bytes, line: int, column: int, message: str) -> None:
    (problem,) = problems_of(data)
    assert (problem.line, problem.column) == (line, column)
    assert problem.message.startswith(message)


def test_all_mistakes_of_a_text_are_said() -> None:
    problems = problems_of("a: 1\na: 2\n3: x\nb: {c: 1, c: 2}\n")
    assert [problem.line for problem in problems] == [2, 3, 4]
    assert [problem.path for problem in problems] == ["a", "", "b.c"]


def test_size_depth_aliases_and_values_are_limited() -> None:
    assert value_of("#" * MAX_BYTES) is None
    assert problems_of("#" * (MAX_BYTES + 1))[0].message == f"the file has more than {MAX_BYTES} bytes"
    assert value_of("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for text in ("[" * (MAX_DEPTH + 1), "[" * 100_000, "a: &a [*a]", "a: &a {b: *a}"):
        assert problems_of(text)[0].message == "nested too deeply"
    aliases = "a: &a 1\nb: [%s]"
    assert len(value_of(aliases % ", ".join(["*a"] * MAX_ALIASES))["b"]) == MAX_ALIASES
    assert problems_of(aliases % ", ".join(["*a"] * (MAX_ALIASES + 1)))[0].message == "more than 100 aliases"
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 30))
    assert problems_of(bomb)[0].message == f"more than {MAX_VALUES} values"


def outcome(data: bytes) -> None:
    """All that validate does; everything but an image is a ProfileError that can be shown."""
    try:
        compile_image(resolve(load_profile_bytes(data, "x.yaml")))
        return
    except ProfileError as error:
        problems = error.problems
    assert problems
    for problem in problems:
        assert 0 <= problem.line <= len(data) + 1
        assert format_problem(problem)


@given(st.binary(max_size=200))
@example(b"a: 1e999")
@example(b"\xef\xbb\xbf")
@example(b"\xff\xfe")
def test_any_bytes(data: bytes) -> None:
    outcome(data)


@given(st.text(alphabet="ab01:-[]{},&*!|>'\"#%@`?~<= \n\t\\/.", max_size=80))
def test_any_signs(text: str) -> None:
    outcome(text.encode())
    outcome(f"{GOOD}{text}".encode())


@given(st.integers(0, len(GOOD)), st.integers(0, 8), st.binary(max_size=8))
def test_a_spoiled_profile(at: int, cut: int, put: bytes) -> None:
    data = GOOD.encode()
    outcome(data[:at] + put + data[at + cut :])


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
words = st.sampled_from(["schedctl", "name", "policy", "classes", "match", "comm", "cgroup", "tier", "level"])
words |= st.sampled_from(["precedence", "deadline", "period", "weight", "fair_share", "order", "default"])
values = st.recursive(
    scalars | st.sampled_from(["9" * 18 + "s", "9" * 400 + "%", "fair", "a\n", "[", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)


@given(values, st.sampled_from(["policy", "classes", "game", "fair_share", "level", "deadline", "match"]))
def test_any_value_anywhere(value: Any, where: str) -> None:
    game: Any = {"match": [{"comm": "game"}], "level": 6}
    root: Any = {"schedctl": 1, "name": "x", "policy": {}, "classes": {"game": game}}
    holder = {"policy": root, "classes": root, "game": root["classes"], "fair_share": root["policy"]}
    holder.get(where, game)[where] = value
    outcome(yaml_of(root).encode("utf-8", "replace"))


def yaml_of(value: Any) -> str:
    """Flow style, every text quoted: JSON is YAML."""
    return json.dumps(value)


@pytest.mark.parametrize("name", ["game\n", "a" * 31 + "\n", "a" * 32, "Game", "", "a.b"])
def test_a_name_is_one_word(name: str) -> None:
    for key in ("name", "class"):
        root = {
            "schedctl": 1,
            "name": name if key == "name" else "x",
            "classes": {name if key == "class" else "game": {"match": [{"comm": "game"}], "level": 6}},
        }
        with pytest.raises(ProfileError):
            load_profile_bytes(yaml_of(root).encode(), "x.yaml")
