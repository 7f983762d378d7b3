# SPDX-License-Identifier: GPL-2.0-only
"""schedctl analyze PROFILE, and admission in plan: exit codes, JSON, what a person reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from schedctl.resolve.facts import HostFacts
from tests.analysis.profiles import HEAD, classes, host
from tests.cli.conftest import Run
from tests.cli.output import checked

FITS = classes(
    motor="level: 7, period: 20ms, runtime: 2ms, threads: 1",
    video="level: 5, period: 40ms, runtime: 5ms, threads: 2",
)
TOO_MUCH = FITS.replace("runtime: 5ms", "runtime: 20ms")


@pytest.fixture
def facts(tmp_path: Path) -> str:
    """One CPU, sched_ext."""
    found: HostFacts = host(1)
    document = found.to_document()
    document["kernel"]["sched_ext"] = "disabled"
    path = tmp_path / "one-cpu.json"
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.parametrize(
    ("text", "verdict", "exit_code"),
    [(FITS, "SCHEDULABLE", 0), (TOO_MUCH, "NOT_SCHEDULABLE", 3), (classes(game="level: 5"), "UNKNOWN", 4)],
)
def test_verdicts(run: Run, facts: str, text: str, verdict: str, exit_code: int) -> None:
    code, out, _ = run("analyze", "-", "--facts", facts, "--json", "--explain", stdin=HEAD + text)
    found = checked("analyze", out)
    assert (found["verdict"], code) == (verdict, exit_code)
    assert found["profile"] == "a"
    assert found["cpus"] == 1
    assert found["scheduler"] == "edf"


def test_the_answer_for_people(run: Run, facts: str) -> None:
    code, out, _ = run("analyze", "-", "--facts", facts, "--explain", stdin=HEAD + TOO_MUCH)
    assert code == 3
    assert out.startswith("NOT_SCHEDULABLE: 3 tasks, 110 % of a CPU, on 1 CPU, edf\n")
    assert "video would fit with a runtime of at most" in out
    code, out, _ = run("analyze", "-", "--facts", facts, stdin=HEAD + classes(game="level: 5"))
    assert out.startswith("UNKNOWN: no class with a level says 'runtime', 'period' and 'threads'\n")


def test_the_best_case_is_no_response_time(run: Run, facts: str) -> None:
    """On a whole CPU without the noise video takes 12 ms: nothing is known of it; a miss there is known."""
    silent = HEAD + FITS + "  noise: {match: [{comm: noise}], level: 7}\n"
    _, out, _ = run("analyze", "-", "--facts", facts, stdin=silent)
    assert "whole_cpu" in out
    assert "slack" not in out
    late = HEAD + classes(one="level: 7, period: 20ms, deadline: 10ms, runtime: 6ms, threads: 2")
    _, out, _ = run("analyze", "-", "--facts", facts, stdin=late)
    assert "(whole_cpu)" in out


def test_no_pinning_while_a_class_is_silent(run: Run, tmp_path: Path) -> None:
    """It may have any demand, on each CPU."""
    path = tmp_path / "two-cpus.json"
    path.write_text(json.dumps(host(2).to_document()))
    text = HEAD + "policy: {order: fixed_priority}\n"
    text += classes(
        x="level: 7, period: 50ms, runtime: 5ms, threads: 1",
        y="level: 6, period: 50ms, runtime: 5ms, threads: 1",
        long="level: 5, period: 60ms, deadline: 58ms, runtime: 47ms, threads: 1",
    )
    advised = []
    for noise in ("", "  noise: {match: [{comm: noise}], level: 1}\n"):
        _, out, _ = run("analyze", "-", "--facts", str(path), "--json", "--explain", stdin=text + noise)
        advised.append([said for said in checked("analyze", out)["advice"] if said.startswith("pin these")])
    assert advised == [["pin these and it is provable: CPU 0: long; CPU 1: x, y"], []]


def test_plan_refuses_warns_or_goes_on(run: Run, facts: str) -> None:
    for admission, exit_code, said in (("enforce", 3, "error"), ("warn", 2, "warning"), ("off", 2, "")):
        text = HEAD + f"policy: {{admission: {admission}}}\n" + TOO_MUCH
        code, out, _ = run("plan", "-", "--facts", facts, "--json", stdin=text)
        found = checked("plan", out)
        assert code == exit_code
        severities = {p["severity"] for p in found["problems"] if "cannot meet its deadlines" in p["message"]}
        assert severities == ({said} if said else set())
        assert ("plan" in found) is (code == 2)
    refused = [p for p in found["problems"] if p["severity"] == "error"]
    assert not refused


def test_a_picture_of_a_profile(run: Run, facts: str, tmp_path: Path) -> None:
    picture = tmp_path / "a.svg"
    assert run("analyze", "-", "--facts", facts, "--plot", str(picture), stdin=HEAD + FITS)[0] == 0
    assert "run.motor." in picture.read_text()
    assert "least slack: motor" in picture.read_text()
    silent = HEAD + classes(game="level: 5")
    assert run("analyze", "-", "--facts", facts, "--plot", str(picture), stdin=silent)[0] == 64


def test_words(run: Run, facts: str) -> None:
    assert run("analyze", "missing")[0] == 66
    assert run("analyze", "bad")[0] == 65
    assert run("analyze", "good", "--taskset", "x.json")[0] == 64
    assert run("analyze", "--facts", facts, "--taskset", "x.json")[0] == 64


def test_ceilings_are_shown(run: Run, facts: str) -> None:
    text = HEAD + FITS + "resources: {r: {hold: {motor: 1ms, video: 1ms}}, s: {hold: {video: 1ms}}}\n"
    code, out, _ = run("show", "-", "--facts", facts, "--json", stdin=text)
    assert code == 0
    assert checked("show", out)["ceilings"] == {"r": 7, "s": 5}
    assert "ceiling: 7" in run("cat", "-", "--facts", facts, "--origins", stdin=text)[1]
    plain = run("cat", "-", "--facts", facts, stdin=text)[1]
    assert plain.endswith("\n# ceiling of r: level 7\n# ceiling of s: level 5\n")
    assert run("cat", "-", "--facts", facts, stdin=plain)[1] == plain
