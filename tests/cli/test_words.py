# SPDX-License-Identifier: GPL-2.0-only
"""Whatever stands on the command line: a rule, a thread, or a UsageError."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedctl.cli.words import rule_profile, thread_of
from schedctl.errors import UsageError
from schedctl.profile.model import MatchItem
from schedctl.resolve.facts import HostFacts

KEYS = ["comm", "exe", "exe_owner", "unit", "user", "uid", "kthread", "nice", "not:comm", "not", "x", ""]
WORDS = st.builds("{}={}".format, st.sampled_from(KEYS), st.text(max_size=8)) | st.text(max_size=8)


def item(*words: str) -> MatchItem:
    return rule_profile(words).classes[0].match[0]


def test_a_rule() -> None:
    found = item("comm=a* comm='b c'", "not:user=root", "kthread=false", "nice=-5", "not:comm=x")
    assert (found.comm, found.kthread, found.nice) == (("a*", "b c"), False, (-5, -5))
    assert [(other.user, other.comm) for other in found.excluded] == [(("root",), ()), ((), ("x",))]


@given(st.lists(WORDS, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_any_rule(words: list[str]) -> None:
    with suppress(UsageError):
        rule_profile(words)


@given(st.lists(WORDS, max_size=4).map(",".join))
@settings(deadline=None)
def test_any_thread(text: str) -> None:
    with suppress(UsageError):
        thread_of(text, HostFacts())


@pytest.mark.parametrize("words", [("kthread=true", "kthread=true"), ("nice=1", "nice=2")])
def test_what_has_one_value(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="twice"):
        item(*words)
