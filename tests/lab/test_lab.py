# SPDX-License-Identifier: GPL-2.0-only
"""The lab keeps its word: output, exit statuses, options, and nothing left behind."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.vm import bootstrap

HERE = Path(__file__).parent
BYTES = bytes(range(256))
LIMIT_S = 400
# Without the daemon a boot takes two thirds of the time.
IDLE = ("--append", "lab.idle")
FACTS = """#!/bin/sh
cat data
cat /proc/cmdline
ls -d /sys/devices/system/node/node[0-9]*
cat /sys/devices/system/node/node1/cpulist
stat -c '%a %U %n' facts data
systemctl is-system-running
printf 'no newline'
cat data >&2
exit 42
"""
pytestmark = pytest.mark.usefixtures("no_machine")


@pytest.fixture(scope="module")
def folders() -> Path:
    """Where every boot has its folder."""
    return bootstrap("standard")[1] / "lab"


def machine_of(pid: int) -> str:
    """The folder of the machine that this process starts, once QEMU runs."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            except OSError:  # it has ended
                continue
            for word in words:
                if word.startswith("/lab/run-"):
                    return word.split("/")[2]
        time.sleep(0.1)
    raise AssertionError("no machine")


def processes_of(machine: str) -> list[str]:
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"/lab/{machine}/" in line.read_text():
                found.append(line.parent.name)
        except OSError:
            continue
    return found


def start(*words: str | Path) -> tuple[subprocess.Popen[bytes], str]:
    process = subprocess.Popen([HERE / "run", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        return process, machine_of(process.pid)
    except BaseException:
        process.terminate()
        raise


def run(folders: Path, *words: str | Path) -> tuple[int, bytes, bytes]:
    """Exit status, stdout and stderr of tests/lab/run, which has left nothing."""
    process, machine = start(*words)
    with process:
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        except BaseException:
            process.terminate()
            raise
    assert not processes_of(machine)
    assert not (folders / machine).exists()
    return process.returncode, out, err


def test_killed_runs(folders: Path) -> None:
    killed, left = start("true")
    killed.kill()
    killed.wait()
    deadline = time.monotonic() + 10
    while processes_of(left) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not processes_of(left), "QEMU ends with the run that started it"
    ended, machine = start("true")
    assert not (folders / left).exists(), "the next start removes what a killed one left"
    ended.terminate()
    ended.communicate(timeout=30)
    assert ended.returncode == 128 + signal.SIGTERM
    assert not processes_of(machine)
    assert not (folders / machine).exists()


@pytest.fixture
def used(folders: Path) -> Iterator[Path]:
    """A folder whose owner lives."""
    folder = folders / f"run-used-{os.getpid()}"
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    (folder / "lock").unlink()
    folder.rmdir()


def test_one_command_with_every_option(folders: Path, used: Path, tmp_path: Path) -> None:
    data, facts = tmp_path / "data", tmp_path / "facts"
    data.write_bytes(BYTES)
    data.chmod(0o640)
    facts.write_text(FACTS)
    facts.chmod(0o4751)
    options = ["--smp", "4", "--numa", "2", "--append", "lab.idle lab.two=2"]
    status, out, err = run(folders, *options, "--copy", data, "--copy", facts, "--", "./facts")
    assert status == 42, err
    assert err.endswith(BYTES)
    assert out.startswith(BYTES)
    command_line, *rest = out[len(BYTES) :].decode().splitlines()
    assert command_line.endswith(" lab.idle lab.two=2")
    nodes = [f"/sys/devices/system/node/node{n}" for n in range(2)]
    assert rest == [*nodes, "2-3", "4751 root facts", "640 root data", "running", "no newline"]
    assert used.exists()


def test_a_command_that_takes_too_long(folders: Path) -> None:
    status, out, err = run(folders, *IDLE, "--timeout", "3", "--", "sh", "-c", "echo before; sleep 1000")
    assert (status, out) == (124, b"before\n")
    assert b"ran longer than 3" in err


def test_a_machine_that_dies(folders: Path) -> None:
    # more than the limit: this ends only where guest time does not follow the host's clock
    before = "cd /sys/devices/system/cpu; cat possible online"
    crash = f"{before}; sleep {2 * LIMIT_S}; echo c > /proc/sysrq-trigger; sleep 60"
    options = ["--smp", "1", "--possible", "2", "--icount", *IDLE]
    status, out, err = run(folders, *options, "--", "sh", "-c", crash)
    assert (status, out) == (125, b"0-1\n0\n")
    assert b"panic" in err


def converse(terminal: int, talk: list[tuple[str, str]]) -> str:
    """Type each answer when its text has appeared; everything that was shown."""
    shown, seen, rest, deadline = "", 0, list(talk), time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # the other end is closed
            return shown
        if rest and rest[0][0] in shown[seen:]:
            text, keys = rest.pop(0)
            seen = shown.index(text, seen) + len(text)
            os.write(terminal, keys.encode())
    raise AssertionError(f"no end\n{shown}")


def test_a_shell_for_a_person(folders: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(HERE / "shell", ["shell", *IDLE])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", 33, 101, 0, 0))
    try:
        machine = machine_of(pid)
        lines = ["id -u; stty size\r", "sh -c 'echo on\"\"ly; exec sleep 1000'\r", "exit 9\r"]
        talk = [("# ", lines[0]), ("# ", lines[1]), ("only", "\x03"), ("# ", lines[2])]
        shown = converse(terminal, talk)
    except BaseException:
        os.kill(pid, signal.SIGTERM)
        raise
    finally:
        os.close(terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert re.search("[\r\n]0\r\n33 101\r\n", shown)  # a terminal of its own brackets what is typed
    assert status == 9
    assert not processes_of(machine)
    assert not (folders / machine).exists()
