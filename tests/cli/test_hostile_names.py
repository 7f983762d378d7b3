# SPDX-License-Identifier: GPL-2.0-only
"""Threads, files and profiles that call themselves an escape sequence: no verb lets a terminal obey them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from schedctl.cli.report import Report, show
from schedctl.errors import Problem
from schedctl.printable import json_text, printable
from tests.cli.conftest import Run
from tests.cli.output import checked

# Colors, a new window title, a C1 control, a right-to-left override; at most 15 bytes.
COMMS = (b"\x1b[31mred", b"\x1b]0;title\x07", "\x9b31m".encode(), "\u202eabc".encode(), b"\xff\xfe\x1b")
NAMED = """
import ctypes, sys, time
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]))
print(flush=True)
time.sleep(100)
"""
PROFILE = (
    'schedctl: 1\nname: "good"\ndescription: "\\e[31mred\\u202e"\n'
    'classes: {game: {match: [{comm: "\\e?31mred"}, {exe: "/\\e]0;x*"}], level: 6}}\n'
)


@pytest.fixture(scope="module")
def hostile() -> Iterator[list[int]]:
    """Processes with such names; their TIDs."""
    processes = [
        subprocess.Popen([sys.executable, "-c", NAMED, comm.hex()], stdout=subprocess.PIPE) for comm in COMMS
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def assert_harmless(text: str) -> None:
    bad = {c for c in text if not c.isprintable() and c not in "\n\t"}
    assert not bad, text
    text.encode()


def profile(tmp_path: Path, name: str = "good.yaml") -> Path:
    path = tmp_path / "etc/schedctl/profiles" / name
    path.write_text(PROFILE)
    return path


VERBS = (
    ["explain", "*", "--profile", "good"],
    ["match", "comm=*"],
    ["facts"],
    ["list"],
    ["show", "good"],
    ["cat", "good"],
    ["cat", "good", "--origins"],
    ["validate", "good", "\x1b[31mred", "./\x1b[31mred.yaml"],
    ["plan", "\x1b[31mred"],
    ["apply", "\x1b[31mred"],
    ["status"],
    ["doctor"],
    ["explain", "\x1b[31mnobody", "--profile", "good"],
    ["match", "\x1b[31mred=x"],
    ["\x1b[31mred"],
)


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0].replace("\x1b", "ESC"))
def test_no_verb_prints_a_control_character(
    run: Run, tmp_path: Path, hostile: list[int], words: list[str]
) -> None:
    profile(tmp_path)
    profile(tmp_path, "\x1b[31mred.yaml")
    _, out, err = run(*words)
    assert_harmless(out + err)
    _, out, _ = run(*words, "--json")
    assert_harmless(out)
    assert out.count("\n") == 1
    json.loads(out)


def test_run_prints_none_either(tmp_path: Path) -> None:
    """In a process of its own, which becomes the command where it can."""
    environment = {**os.environ, "SCHEDCTL_ROOT": str(tmp_path), "PATH": "/absent"}
    start = "import sys; from schedctl.cli.main import entry; sys.exit(entry())"
    words = [sys.executable, "-c", start, "run", "\x1b[31mred", "/absent/\x1b[31mred"]
    result = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 69
    assert "\\x1b[31mred" in result.stderr
    assert_harmless(result.stderr)


def test_explain_finds_each_of_them(run: Run, tmp_path: Path, hostile: list[int]) -> None:
    profile(tmp_path)
    for tid in hostile:
        code, out, _ = run("explain", str(tid), "--profile", "good")
        assert code == 0
        assert f"thread {tid} " in out
        assert_harmless(out)
    document = checked("explain", run("explain", str(hostile[0]), "--profile", "good", "--json")[1])
    assert document["class"] == "game", "what is printed is another name, what is compared is not"


def test_json_keeps_what_cannot_be_printed(run: Run, tmp_path: Path) -> None:
    profile(tmp_path)
    _, out, _ = run("cat", "good", "--json")
    assert "\\u001b[31mred\\u202e" in out
    assert json.loads(out)["profile"]["description"] == "\x1b[31mred\u202e"


def test_a_profile_by_such_a_path(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "\x1b[31mred\udcff.yaml"
    path.write_text(PROFILE.replace("level: 6", "level: 66").replace('"good"', "other"))
    code, out, err = run("validate", str(path))
    assert code == 65
    assert ":4:" in err
    assert_harmless(out + err)
    assert_harmless(run("validate", str(path), "--json")[1])


def test_a_name_with_a_new_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem("error", "a\nschedctl: all is well", 1, 1, "", "wrong")
    show("validate", Report(problems=(problem,)), False)
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "same"),
    [("a\x1bb", "a\ufffdb"), ("a\nb\tc", "a\nb\tc"), ("é…", "é…"), ("\u202e\x85\udcff", "\ufffd" * 3)],
)
def test_printable(text: str, same: str) -> None:
    assert printable(text) == same


def test_json_text() -> None:
    document = {"a\x7f": ["\x9b\U000e0001", "é"]}
    text = json_text(document)
    assert json.loads(text) == document
    assert text == '{"a\\u007f": ["\\u009b\\udb40\\udc01", "é"]}'
    assert json.loads(json_text("\udcff")) == "\ufffd"
