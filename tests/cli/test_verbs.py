# SPDX-License-Identifier: GPL-2.0-only
"""The command line on a host without sched_ext: exit codes, JSON on success and failure, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schedctl.cli.host import load_facts
from schedctl.cli.main import main
from schedctl.cli.plan import report_here
from schedctl.cli.source import given, request_to_apply
from schedctl.errors import InternalError
from schedctl.kernel import libbpf, real
from schedctl.request import carry_out, myself
from tests.armed import ArmedTimers
from tests.cli.conftest import GOOD, Run
from tests.cli.output import checked
from tests.kernel.fake import FakeKernel

FACTS = str(Path(__file__).resolve().parents[1] / "resolve" / "facts" / "two-socket.json")
VERBS = (
    "analyze",
    "validate",
    "show",
    "cat",
    "list",
    "plan",
    "apply",
    "status",
    "detach",
    "confirm",
    "rollback",
    "history",
    "explain",
    "match",
    "facts",
    "doctor",
    "version",
)


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
        (["cat", "good"], 0),
        (["cat", "bad"], 65),
        (["cat", "missing"], 66),
        (["cat"], 66),
        (["cat", "good", "--facts", FACTS], 0),
        (["list"], 0),
        (["list", "extra"], 64),
        (["apply", "--persist"], 64),
        (["apply", "good", "--persist"], 69),
        (["plan", "good"], 69),
        (["plan", "bad"], 65),
        (["apply", "good"], 69),
        (["apply", "bad"], 65),
        (["apply"], 66),
        (["apply", "good", "--check", "--diff"], 69),
        (["status"], 69),
        (["detach"], 69),
        (["explain", "--profile", "good", "--thread", "comm=game"], 0),
        (["explain", "--profile", "good", "--thread", "comm=game", "--facts", FACTS], 0),
        (["explain", "--profile", "good", "--thread", "com=game"], 64),
        (["explain", "--profile", "good", "--thread", "comm=a-name-of-16-bytes"], 64),
        (["explain", "--profile", "good", "--thread", "user=nobody-here"], 64),
        (["explain", "--profile", "bad", "--thread", "comm=game"], 65),
        (["explain", "--profile", "good", "1"], 0),
        (["explain", "--profile", "good", "1", "--facts", FACTS], 64),
        (["explain", "--profile", "good", "999999999"], 66),
        (["explain", "--profile", "good", "no-such-thread"], 66),
        (["explain", "--profile", "good"], 64),
        (["explain", "1"], 66),
        (["match", "comm=*"], 0),
        (["match", "com=*"], 64),
        (["match", "comm"], 64),
        (["match", "comm=[x"], 64),
        (["match", "kthread=maybe"], 64),
        (["match", "not:comm=x"], 64),
        (["match", "'"], 64),
        (["match"], 64),
        (["facts"], 0),
        (["facts", "extra"], 64),
        (["version"], 0),
        (["doctor"], 69),
        (["doctor", "--with-names"], 64),
        (["validate", "good", "--facts", FACTS], 0),
        (["validate", "good", "--facts", "absent.json"], 66),
        (["show", "good", "--facts", FACTS], 0),
        (["show", "--live", "--facts", FACTS], 64),
        (["plan", "good", "--facts", FACTS], 2),
        (["plan", "bad", "--facts", FACTS], 65),
        (["apply", "good", "--facts", FACTS], 64),
        (["frobnicate"], 64),
        ([], 64),
        (["apply", "--frobnicate"], 64),
    ],
)
def test_exit_codes(run: Run, words: list[str], status: int) -> None:
    code, out, err = run(*words)
    assert code == status
    assert "Traceback" not in out + err
    if status not in (0, 2):
        assert "error: " in err
    code, out, err = run(*words, "--json")
    verb = words[0] if words and words[0] in VERBS else "version"
    document = checked(verb, out)
    assert (code, document["exit"]) == (status, status)
    severities = {problem["severity"] for problem in document["problems"]}
    assert ("error" in severities) == (status not in (0, 2))
    assert "warning" not in severities
    assert err == ""


def test_all_problems_at_once_with_their_places(run: Run) -> None:
    _, _, err = run("validate", "bad")
    assert "bad.yaml:4:40: error: 60 is out of range" in err
    assert "bad.yaml:4:44: error: unknown key 'tire'" in err
    assert "did you mean 'tier'?" in err


def test_only_validate_has_notes(run: Run) -> None:
    code, out, err = run("validate", "good")
    assert (code, out) == (0, "good: valid\n")
    assert "good.yaml:4:40: note: only the shares" in err
    for verb in ("show", "cat"):
        assert run(verb, "good")[2] == ""


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
        "slice_ns": 4_000_000,
        "timer_slack_ns": 1,
        "max_level": 7,
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
    assert all(verb in shown for verb in (*VERBS, "run"))


def test_facts_of_this_machine_check_a_profile(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("facts", "--json")
    assert code == 0
    checked("facts", out)
    file = tmp_path / "here.json"
    file.write_text(out)
    assert load_facts(file).users["root"] == 0
    assert run("validate", "good", "--facts", str(file))[0] == 0
    code, _, err = run("plan", "good", "--facts", str(file))
    assert (code, "has no sched_ext" in err) == (69, True)


def test_a_plan_for_another_machine_says_what_it_cannot_know(run: Run) -> None:
    code, out, err = run("plan", "good", "--facts", FACTS)
    assert code == 2
    assert "attach" in out
    assert "note: facts do not say which policy render01 runs" in err


def test_warnings_are_shown_and_do_not_fail(run: Run) -> None:
    text = GOOD.replace("{comm: game}", '{comm: "*"}').replace("level: 6", "level: 7")
    for verb in ("validate", "show"):
        code, out, err = run(verb, "-", stdin=text)
        assert code == 0
        assert out
        assert "<stdin>:4:18: warning: this takes every thread of the machine to level 7" in err
    document = checked("validate", run("validate", "-", "--json", stdin=text)[1])
    assert [problem["severity"] for problem in document["problems"]] == ["warning"]
    assert document["valid"] == ["-"]


def test_apply_shows_warnings(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = tmp_path / "etc/schedctl/profiles/wide.yaml"
    profile.write_text(
        GOOD.replace("good", "wide").replace("game}", "no-one}, {comm: '*'}").replace("6", "7")
    )
    kernel, timers = FakeKernel(), ArmedTimers()
    monkeypatch.setattr(real, "RealKernel", lambda: kernel)
    request = request_to_apply(given("wide"))
    applied = carry_out(kernel, request, myself(), timer=timers)
    for report, code in ((report_here(given("wide"), False), 0), (applied, 0)):
        assert report.exit_code == code
        severities = [problem.severity for problem in report.problems]
        assert severities == ["warning", "note", "note"], "no daemon sets timer slack; no periods to analyze"
    assert kernel.running


def test_a_flood_of_problems_is_cut_for_people_only(run: Run) -> None:
    text = "schedctl: 1\nname: x\n" + "".join(f"k{i}: 1\n" for i in range(150))
    _, _, err = run("validate", "-", stdin=text)
    assert err.count("error: ") == 100
    assert err.endswith("… and 50 more problems; --json has all\n")
    assert len(checked("validate", run("validate", "-", "--json", stdin=text)[1])["problems"]) == 150


def test_help_imports_no_more_than_the_parser() -> None:
    """A shell's completion asks for it; `make timings` measures it."""
    code = (
        "import sys; from schedctl.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'jinja2', 'jsonschema', 'yaml', 'shutil', 'subprocess', 'systemd', 'schedctl.profile',"
        " 'schedctl.kernel'}\n"
        "print('imported:', sorted(heavy & set(sys.modules)))\n"
    )
    python = [sys.executable, "-S", "-c", code]  # without what a virtual environment imports
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(python, check=True, capture_output=True, text=True, cwd=root)
    assert "usage: schedctl" in done.stdout
    assert done.stdout.endswith("imported: []\n")


def test_status_imports_only_what_it_needs() -> None:
    code = (
        "import sys; import schedctl.cli.status, schedctl.kernel.real\n"
        "heavy = {'_hashlib', 'jinja2', 'jsonschema', 'shutil', 'subprocess', 'systemd', 'watchdog'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=root)
    assert done.stdout == "[]\n"
