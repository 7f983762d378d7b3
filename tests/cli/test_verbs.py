# SPDX-License-Identifier: GPL-2.0-only
"""The command line on a host without sched_ext: exit codes, JSON on success and failure, no traceback."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schedctl.cli.main import main
from schedctl.errors import InternalError
from schedctl.kernel import libbpf, sysfs
from tests.cli.output import checked

GOOD = "schedctl: 1\nname: good\nclasses:\n  game: {match: [{comm: game}], level: 6}\n"
BAD = "schedctl: 1\nname: bad\nclasses:\n  game: {match: [{comm: game}], level: 60, tire: fair}\n"
VERBS = ("validate", "show", "plan", "apply", "status", "detach", "version")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """main() with its own root folder, on a kernel without sched_ext."""
    monkeypatch.setenv("SCHEDCTL_ROOT", str(tmp_path))
    monkeypatch.setattr(sysfs, "SCHED_EXT", tmp_path / "absent")
    profiles = tmp_path / "etc" / "schedctl" / "profiles"
    profiles.mkdir(parents=True)
    (profiles / "good.yaml").write_text(GOOD)
    (profiles / "bad.yaml").write_text(BAD)

    def call(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = main(words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["validate", "good"], 0),
        (["validate", "bad"], 65),
        (["validate", "missing"], 66),
        (["validate", "good", "bad", "missing"], 65),
        (["validate", "./no/such.yaml"], 66),
        (["validate"], 66),
        (["show", "good"], 0),
        (["show", "bad"], 65),
        (["show", "--live"], 69),
        (["show", "--live", "good"], 64),
        (["plan", "good"], 69),
        (["plan", "bad"], 65),
        (["apply", "good"], 69),
        (["apply", "bad"], 65),
        (["apply"], 66),
        (["apply", "good", "--check", "--diff"], 69),
        (["status"], 69),
        (["detach"], 69),
        (["version"], 0),
        (["frobnicate"], 64),
        ([], 64),
        (["apply", "--frobnicate"], 64),
    ],
)
def test_exit_codes(run: Run, words: list[str], status: int) -> None:
    code, out, err = run(*words)
    assert code == status
    assert "Traceback" not in out + err
    if status:
        assert "error: " in err
    code, out, err = run(*words, "--json")
    verb = words[0] if words and words[0] in VERBS else "version"
    document = checked(verb, out)
    assert (code, document["exit"]) == (status, status)
    assert (document["problems"] != []) == (status != 0)
    assert err == ""


def test_all_problems_at_once_with_their_places(run: Run) -> None:
    _, _, err = run("validate", "bad")
    assert "bad.yaml:4:40: error: 60 is out of range" in err
    assert "bad.yaml:4:44: error: unknown key 'tire'" in err
    assert "did you mean 'tier'?" in err


def test_standard_input(run: Run) -> None:
    code, out, _ = run("validate", "-", stdin=GOOD)
    assert (code, out) == (0, "-: valid\n")
    code, _, err = run("validate", "-", stdin="classes: [")
    assert code == 65
    assert "<stdin>:" in err


def test_show_is_the_image_document(run: Run) -> None:
    code, out, _ = run("show", "good")
    assert code == 0
    assert out.startswith("schedctl_image: 1\nprofile: good\n")
    document = checked("show", run("show", "good", "--json")[1])
    assert document["image"]["classes"]["game"] == {
        "tier": "realtime",
        "level": 6,
        "deadline_ns": 4_000_000,
        "weight": 100,
    }


def test_a_bug_is_said_without_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise RuntimeError("boom")

    monkeypatch.setattr(libbpf, "version", broken)
    code, _, err = run("version")
    assert code == InternalError.exit_code
    assert "RuntimeError: boom" in err
    assert "Traceback" not in err


def test_a_closed_pipe_is_no_error() -> None:
    script = "from schedctl.cli.main import entry; import sys; sys.argv[1:] = ['show', 'desktop']; entry()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_every_verb_has_a_schema_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    schemas = Path(__file__).resolve().parents[2] / "schemas" / "output"
    assert sorted(path.stem for path in schemas.glob("*.json")) == sorted(VERBS)
    with pytest.raises(SystemExit):
        main(["--help"])
    shown: Any = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS)
