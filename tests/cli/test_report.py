# SPDX-License-Identifier: GPL-2.0-only
"""What is printed does nothing to a terminal, whatever names are in it, and JSON keeps every one of them."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedctl.cli.report import show
from schedctl.errors import Problem
from schedctl.printable import shown
from schedctl.report import Report

HOSTILE = "a\x1b]0;title\x07\x9b2J\u202eb\u2028c\x7f\udc80"
ACTING = {"Cc", "Cs", "Zl", "Zp"}


def acting(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in ACTING and c not in "\n\t"}


def report(name: str) -> Report:
    return Report(
        text=f"line one: {name}\nline two\tcell",
        data={"name": name, f"of {name}": [1]},
        problems=(Problem("error", name, 1, 1, name, name, name, name), Problem("note", "", 0, 0, "", name)),
    )


@given(st.text() | st.just(HOSTILE))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_terminal_acts_on_it(capsys: pytest.CaptureFixture[str], name: str) -> None:
    for as_json in (False, True):
        show("status", report(name), as_json)
        captured = capsys.readouterr()
        said = captured.out + captured.err
        assert not acting(said)
        assert "\u202e" not in said
        said.encode()
        if as_json:
            found = json.loads(captured.out)
            whole = re.sub("[\ud800-\udfff]", "\ufffd", name)
            assert (found["name"], found["problems"][0]["message"]) == (whole, whole)


def test_what_is_printed_stays(capsys: pytest.CaptureFixture[str]) -> None:
    show("status", report("Größe\u00a0用户"), False)
    assert "line one: Größe\u00a0用户\nline two\tcell\n" in capsys.readouterr().out


@given(st.text() | st.binary())
def test_a_name_is_one_line(name: str | bytes) -> None:
    found = shown(name)
    assert found.isprintable()
    assert shown(found) == found
