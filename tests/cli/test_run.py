# SPDX-License-Identifier: GPL-2.0-only
"""run: the scope's name, the command's status, and what is refused before anything starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from schedctl.glob import glob_match
from schedctl.resolve.assignment import run_pattern
from tests.cli.conftest import GOOD, Run

ENTRY = "from schedctl.cli.main import entry; import sys; sys.exit(entry())"
# What systemd-run does with --scope: register itself, then become the command.
SYSTEMD_RUN = """#!/bin/sh
for word; do
	shift
	[ "$word" = -- ] && break
	echo "$word" >>"$ROOT/said"
done
exec "$@"
"""


def call(root: Path, *words: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "SCHEDCTL_ROOT": str(root),
        "ROOT": str(root),
        "PATH": path or f"{root}:{os.environ['PATH']}",
    }
    return subprocess.run(
        [sys.executable, "-c", ENTRY, "run", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    program = tmp_path / "systemd-run"
    program.write_text(SYSTEMD_RUN)
    program.chmod(0o755)
    etc = tmp_path / "etc/schedctl"
    (etc / "profiles").mkdir(parents=True)
    (etc / "profiles/good.yaml").write_text(GOOD)
    (etc / "schedctl.yaml").write_text("profile: good\n")
    return tmp_path


def test_the_command_runs_in_a_scope_of_its_class(root: Path) -> None:
    result = call(root, "game", "--", "sh", "-c", 'echo "$0 $1"; kill -PIPE $$', "a b", "--json")
    assert result.stdout == "a b --json\n"
    assert result.returncode == -13  # SIGPIPE is not ignored in the command
    said = (root / "said").read_text().splitlines()
    manager = "--system" if os.geteuid() == 0 else "--user"
    assert said[:4] == [manager, "--scope", "--quiet", "--collect"]
    match = re.fullmatch(r"--unit=(schedctl-run-game-[0-9]+-[0-9]+\.scope)", said[4])
    assert match
    assert glob_match(run_pattern("game"), match[1].encode())


def test_the_status_is_the_commands(root: Path) -> None:
    assert call(root, "game", "sh", "-c", "exit 42").returncode == 42


def test_a_misspelt_class_is_refused(root: Path) -> None:
    result = call(root, "gmae", "true")
    assert (result.returncode, "did you mean 'game'?" in result.stderr) == (66, True)
    assert not (root / "said").exists()


@pytest.mark.parametrize("standing", ["", "profile: missing\n", "profile: bad\n"])
def test_without_a_sound_profile_the_command_runs_all_the_same(root: Path, standing: str) -> None:
    (root / "etc/schedctl/schedctl.yaml").write_text(standing)
    (root / "etc/schedctl/profiles/bad.yaml").write_text("classes: [")
    result = call(root, "game", "echo", "here")
    assert (result.returncode, result.stdout) == (0, "here\n")
    assert "warning" in result.stderr


@pytest.mark.parametrize("words", [[], ["game"], ["game", "--"], ["--frobnicate", "game", "true"]])
def test_usage(run: Run, words: list[str]) -> None:
    code, _, err = run("run", *words)
    assert (code, "error: " in err) == (64, True)


def test_without_systemd(root: Path) -> None:
    (root / "systemd-run").unlink()
    result = call(root, "game", "--", "true", path=str(root))
    assert (result.returncode, "there is no systemd-run" in result.stderr) == (69, True)
