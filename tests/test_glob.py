# SPDX-License-Identifier: GPL-2.0-only
"""Patterns against fnmatch, and their intersection against texts that match both."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings, strategies

from schedctl.glob import glob_match, intersect, is_bare, literal_prefix, literal_suffix, shortest, unclosed

SETS = strategies.sampled_from(["[ab]", "[!ab]", "[a-c]", "[!a-c]", "[]a]", "[!]a]", "[a-]", "[*?]"])
PARTS = strategies.one_of(strategies.sampled_from(["*", "?", "a", "b", "c", "/", "-", "]", "!"]), SETS)
PATTERNS = strategies.lists(PARTS, max_size=8).map("".join)
TEXTS = strategies.text("abcd/-]!*?", max_size=10)


@given(PATTERNS, TEXTS)
@settings(deadline=None)
def test_agrees_with_fnmatch(pattern: str, text: str) -> None:
    assert glob_match(pattern, text.encode()) == fnmatchcase(text, pattern)


@given(PATTERNS, PATTERNS, TEXTS)
@settings(deadline=None)
def test_intersection_has_every_common_text(one: str, other: str, text: str) -> None:
    assert intersect(one, other) == intersect(other, one)
    if glob_match(one, text.encode()) and glob_match(other, text.encode()):
        assert intersect(one, other)


@given(PATTERNS, TEXTS)
@settings(deadline=None)
def test_what_every_match_begins_and_ends_with(pattern: str, text: str) -> None:
    if glob_match(pattern, text.encode()):
        assert text.startswith(literal_prefix(pattern))
        assert text.endswith(literal_suffix(pattern))
        assert len(text) >= shortest(pattern)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("a*", "*b", True),
        ("a*", "b*", False),
        ("*a*", "*b*", True),
        ("[a-c]?", "d*", False),
        ("[a-c]?", "c*", True),
        ("data-loop.*", "data-*", True),
        ("??", "???", False),
        ("*x", "y", False),
        ("", "*", True),
    ],
)
def test_intersections(one: str, other: str, wanted: bool) -> None:
    assert intersect(one, other) is wanted


def test_bytes_not_characters() -> None:
    assert not glob_match("?", "ä".encode())
    assert glob_match("??", "ä".encode())
    assert glob_match("*", b"\xff")


def test_a_hostile_pattern_is_not_slow() -> None:
    assert not glob_match("*a" * 60 + "b", b"a" * 4096)


@pytest.mark.parametrize("pattern", ["*", "**", "?*", "*?*"])
def test_bare(pattern: str) -> None:
    assert is_bare(pattern)


def test_not_bare() -> None:
    assert not any(map(is_bare, ["", "?", "a*", "*.service", "[!x]*"]))


def test_unclosed() -> None:
    assert all(map(unclosed, ["[", "a[b", "[]", "[!]", "[a][b"]))
    assert not any(map(unclosed, ["", "]", "[]]", "[!]]", "[a]b]"]))
