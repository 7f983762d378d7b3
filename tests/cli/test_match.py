# SPDX-License-Identifier: GPL-2.0-only
"""match: a rule tried on the threads of the machine that runs the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.output import checked

# Tests run beside each other: the name is this worker's own.
NAME = f"mm{os.getpid()}"
CHILD = """
import sys, threading, time
def named(name):
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as file:
        file.write(name)
    print("ready", flush=True)
    time.sleep(60)
for name in ("NAME-0", "NAME-1"):
    threading.Thread(target=named, args=(name,), daemon=True).start()
named("NAME-main")
""".replace("NAME", NAME)


@pytest.fixture
def pid() -> Iterator[int]:
    """A process with three threads of known names."""
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(3):
            child.stdout.readline()
        yield child.pid
        child.kill()


def matched(run: Run, *words: str) -> dict[str, Any]:
    code, out, _ = run("match", *words, "--json")
    assert code == 0
    return checked("match", out)


def names(document: dict[str, Any], pid: int) -> list[str]:
    return [thread["comm"] for thread in document["threads"] if thread["pid"] == pid]


def test_names_of_threads(run: Run, pid: int) -> None:
    assert names(matched(run, f"comm={NAME}-[0-9]"), pid) == [f"{NAME}-0", f"{NAME}-1"]
    assert names(matched(run, f"comm={NAME}*", "leader=true"), pid) == [f"{NAME}-main"]
    assert names(matched(run, f"comm={NAME}* not:comm=*-0 not:leader=true"), pid) == [f"{NAME}-1"]
    assert names(matched(run, f"comm={NAME}-0", "comm=*-main"), pid) == [f"{NAME}-main", f"{NAME}-0"]
    assert names(matched(run, f"exe={os.path.realpath(sys.executable)} comm={NAME}*", "nice=-20..19"), pid)
    assert names(matched(run, "kthread=true"), pid) == []


def test_text(run: Run, pid: int) -> None:
    code, out, _ = run("match", f"comm={NAME}-0")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["TID", "PID", "UID", "NAME", "UNIT", "EXECUTABLE"]
    assert f"  {pid}  " in lines[1]
    assert lines[-1].startswith("1 of ")


def test_an_unknown_user_is_said(run: Run) -> None:
    code, out, err = run("match", "user=nobody-here")
    assert (code, out.startswith("0 of ")) == (0, True)
    assert err.startswith("schedctl: warning: this host has no user 'nobody-here'")


def test_mistakes_are_said_as_in_a_profile(run: Run) -> None:
    _, _, err = run("match", "comms=x", "comm=a-name-of-16-byte")
    assert "unknown key 'comms'" in err
    assert "has 17" in run("match", "comm=a-name-of-16-byte")[2]
