# SPDX-License-Identifier: GPL-2.0-only
"""schedctl doctor on this machine as it is, and the file that --report writes."""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schedctl.kernel.surroundings import Pins, lockdown, read_pins, rt_runtime_us, scheduling_managers
from tests.cli.conftest import Run
from tests.cli.output import checked

PRIVATE = "whale-caller"
SLEEPING = (
    f"import ctypes, time; ctypes.CDLL(None).prctl(15, b'{PRIVATE}'); print(flush=True); time.sleep(100)"
)
PROFILE = f"schedctl: 1\nname: mine\nclasses:\n  x: {{match: [{{comm: {PRIVATE}, user: root}}], level: 6}}\n"


def by_check(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {found["check"]: found for found in document["findings"]}


def test_a_machine_without_sched_ext(run: Run) -> None:
    code, out, err = run("doctor")
    assert code == 69
    assert "problem  sched_ext     this kernel has no sched_ext\n" in out
    assert "-> use Linux 7.x" in out
    assert "keep schedctl from working here: sched_ext" in err or "keeps schedctl" in err
    found = by_check(checked("doctor", run("doctor", "--json")[1]))
    assert found["sched_ext"]["result"] == "problem"
    assert found["object"]["result"] == "ok", "built by make"
    assert found["profile"]["result"] == "note"


def test_a_selected_profile_with_problems(run: Run, tmp_path: Path) -> None:
    (tmp_path / "etc/schedctl/schedctl.yaml").write_text("profile: bad\n")
    document = checked("doctor", run("doctor", "--json")[1])
    assert by_check(document)["profile"]["result"] == "problem"
    assert "bad.yaml:4: " in by_check(document)["profile"]["message"]


@pytest.mark.parametrize(
    ("content", "strange"),
    [
        (b"\x7fELF go", True),
        (b"#!/bin/sh\necho another\n", True),
        (b"#!/usr/bin/python3\nfrom schedctl.cli.main import entry\n", False),
    ],
)
def test_another_program_of_the_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, strange: bool
) -> None:
    tool = tmp_path / "bin/schedctl"
    tool.parent.mkdir()
    tool.write_bytes(content)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    found = by_check(checked("doctor", run("doctor", "--json")[1]))["path"]
    assert (found["result"] == "warning") is strange
    assert (str(tool) in found["message"]) is strange


def test_state_that_others_may_change(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run/schedctl"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    found = by_check(checked("doctor", run("doctor", "--json")[1]))["state"]
    assert found["result"] == "problem"
    assert "everybody may write" in found["message"]


def test_a_report_of_this_machine(run: Run, tmp_path: Path) -> None:
    """Everything is really read, and the names that are really there are not in it."""
    (tmp_path / "etc/schedctl/profiles/mine.yaml").write_text(PROFILE)
    (tmp_path / "etc/schedctl/schedctl.yaml").write_text("profile: mine\n")
    (tmp_path / "var/lib/schedctl").mkdir(parents=True)
    (tmp_path / "var/lib/schedctl/verifier.log").write_text("".join(f"{i}: r0\n" for i in range(1000)))
    nameless, named = tmp_path / "report.json", tmp_path / "named.json"
    with subprocess.Popen([sys.executable, "-c", SLEEPING], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        subprocess.run(["chrt", "--rr", "-p", "1", str(process.pid)], check=False)
        try:
            code, out, _ = run("doctor", "--report", str(nameless))
            assert run("doctor", "--report", str(named), "--with-names")[0] == code
        finally:
            process.kill()
    assert f"written to {nameless}" in out
    document = json.loads(nameless.read_text())
    assert document["verifier_log"][-1] == "999: r0"
    assert len(document["verifier_log"]) == 200
    assert document["profile"]["classes"]["x"]["match"][0]["comm"].startswith("thread")
    assert {"versions", "findings", "facts", "status", "journal"} <= document.keys()
    host = rf"(?<![\w-]){re.escape(os.uname().nodename)}(?![\w-])"  # it may be called vm
    for name in (PRIVATE, host):
        assert not re.search(name, nameless.read_text())
        assert re.search(name, named.read_text())
    user = getpass.getuser()
    assert user == "root" or user not in nameless.read_text()
    assert [path.stat().st_mode & 0o777 for path in (nameless, named)] == [0o644, 0o600]
    code, _, err = run("doctor", "--report", str(nameless))
    assert (code, "exists" in err) == (73, True)


def test_a_report_does_not_follow_links(run: Run, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert run("doctor", "--report", str(tmp_path / "link"))[0] == 73
    assert not (tmp_path / "target").exists()


# --- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "word"), [("none [integrity] confidentiality\n", "integrity"), ("", None), (None, None)]
)
def test_lockdown(tmp_path: Path, text: str | None, word: str | None) -> None:
    file = tmp_path / "lockdown"
    if text is not None:
        file.write_text(text)
    assert lockdown(file) == word


def test_real_time_throttling(tmp_path: Path) -> None:
    assert rt_runtime_us(tmp_path) is None
    (tmp_path / "sys/kernel").mkdir(parents=True)
    (tmp_path / "sys/kernel/sched_rt_runtime_us").write_text("-1\n")
    assert rt_runtime_us(tmp_path) == -1


def test_programs_that_manage_scheduling() -> None:
    before = scheduling_managers()
    named = SLEEPING.replace(PRIVATE, "scx_lavd")
    with subprocess.Popen([sys.executable, "-c", named], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            assert set(scheduling_managers()) == {*before, "scx_lavd"}
        finally:
            process.kill()


def test_pins(tmp_path: Path) -> None:
    assert read_pins(tmp_path / "absent") is None
    (tmp_path / "pins/maps").mkdir(parents=True)
    (tmp_path / "pins").chmod(0o700)
    (tmp_path / "pins/maps/policy").touch()
    assert read_pins(tmp_path / "pins") == Pins(("maps/policy",), 0o700, os.getuid())
    (tmp_path / "pins/link").touch()
    found = read_pins(tmp_path / "pins")
    assert found is not None
    assert found.link
