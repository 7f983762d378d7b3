# SPDX-License-Identifier: GPL-2.0-only
"""Requests as documents: what comes back is what was said, and anything else is refused with a sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedctl.errors import InternalError, Problem, UsageError
from schedctl.report import Report, envelope, report_from
from schedctl.request import Request, Verb, Who, myself, who_is
from schedctl.selected import Choice, Selected

WHOLE = Request(
    Verb.APPLY,
    Selected.copy(Path("/run/schedctl/selected.d/a b.json")),
    Path("/run/schedctl/selected.d/.a b-7.new"),
    "desktop",
    60_000_000_000,
    True,
    True,
    7,
    True,
)
selections = st.builds(Selected, st.sampled_from(Choice), st.text())
requests = st.builds(
    Request,
    st.sampled_from(Verb),
    selections,
    st.none() | st.just(Path("/run/x")),
    st.none() | st.text(),
    st.none() | st.integers(0),
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(0),
    st.booleans(),
)


@given(requests)
def test_the_document_of_a_request_is_the_request(request: Request) -> None:
    assert Request.from_document(json.loads(json.dumps(request.to_document()))) == request


def changed(**keys: object) -> dict[str, Any]:
    return WHOLE.to_document() | keys


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in WHOLE.to_document().items() if name != key}


@pytest.mark.parametrize("key", WHOLE.to_document())
def test_every_key_must_be_there_and_of_its_type(key: str) -> None:
    with pytest.raises(UsageError, match=f"without '{key}'"):
        Request.from_document(without(key))
    wrongs: tuple[object, ...] = ([], 1.5, {"a": 1})
    for wrong in wrongs:
        with pytest.raises(UsageError):
            Request.from_document(changed(**{key: wrong}))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "no mapping"),
        (None, "no mapping"),
        (changed(schedctl_request=2), "version 2"),
        (changed(schedctl_request=True), "not of type int"),
        (changed(verb="reboot"), "none of apply, confirm, rollback, detach: 'reboot'"),
        (changed(selected={"choice": "none"}), "without 'value'"),
        (changed(selected={"choice": "none", "value": "", "x": 1}), "unknown key: 'x'"),
        (changed(diff=1), "'diff' is not of type bool: 1"),
        (changed(more=1), "unknown key: 'more'"),
    ],
)
def test_what_is_wrong_is_said(document: object, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Request.from_document(document)
    assert said in caught.value.message


def test_who_asks(tmp_path: Path) -> None:
    who = myself()
    assert who.uid == os.getuid()
    assert "python" in who.command
    script = tmp_path / "schedctl"
    script.write_text("print(flush=True); input()")
    argv = [sys.executable, str(script), "apply", "two  words"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # a program that is about to start has no words yet
        assert who_is(process.pid, 0) == Who(0, who.login_uid, f"{script} apply two  words")
        process.communicate(b"\n")


def test_a_report_survives_its_envelope() -> None:
    problem = Problem("warning", "a.yaml", 1, 2, "classes", "odd", "mend it")
    report = Report("done\n", {"generation": 3}, True, 2, (problem,))
    assert report_from(json.loads(json.dumps(envelope("apply", report))), "done\n") == report
    empty: dict[str, Any] = {}
    for wrong in (empty, {"schedctl_output": 2}, envelope("apply", report) | {"problems": [{"a": 1}]}):
        with pytest.raises(InternalError, match="not a report"):
            report_from(wrong, "")
