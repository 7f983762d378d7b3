# SPDX-License-Identifier: GPL-2.0-only
"""explain: which rule decides and why the others do not."""

from __future__ import annotations

import os
from typing import Any

from tests.cli.conftest import Run
from tests.cli.output import checked
from tests.cli.test_verbs import FACTS

PROFILE = """schedctl: 1
name: studio
policy: {realtime_users: [root, active-seat]}
classes:
  low:
    match: [{comm: "data-*"}]
    level: 2
  audio:
    match:
      - {comm: "data-loop*", exe: /usr/bin/*}
      - {unit: synth.service}
    precedence: 5
    level: 6
  rest: {match: [{comm: "*", not: {user: root}}], tier: background, precedence: -5}
"""


def explained(run: Run, thread: str) -> dict[str, Any]:
    code, out, _ = run(
        "explain", "--profile", "-", "--facts", FACTS, "--thread", thread, "--json", stdin=PROFILE
    )
    assert code == 0
    return checked("explain", out)


def outcomes(document: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    return [(r["class"], r["outcome"], r["failed"]) for r in document["rules"] if not r["implicit"]]


def test_the_highest_precedence_wins(run: Run) -> None:
    found = explained(run, "comm=data-loop.0,exe=/usr/bin/pipewire,uid=1000")
    assert (found["class"], found["level"], found["held_back"]) == ("audio", 6, False)
    assert outcomes(found) == [
        ("audio", "wins", []),
        ("audio", "no_match", ["unit"]),
        ("low", "outranked", []),
        ("rest", "outranked", []),
    ]
    rules = {rule["class"]: rule for rule in found["rules"] if rule["outcome"] != "no_match"}
    assert rules["low"]["why"] == "matches too, but has precedence 0, and 'audio' has 5"
    assert (rules["low"]["file"], rules["low"]["line"], rules["low"]["column"]) == ("<stdin>", 6, 13)


def test_what_the_running_scheduler_decides(run: Run) -> None:
    text = (
        "schedctl: 1\nname: x\nclasses:\n"
        "  game: {match: [{user: root}], level: auto, period: auto, threads: 2}\n"
        "  fixed: {match: [{comm: f}], level: auto, period: 10ms, precedence: 1}\n"
    )

    def notes(thread: str) -> list[str]:
        words = ["explain", "--profile", "-", "--facts", FACTS, "--thread", thread, "--json"]
        found: list[str] = checked("explain", run(*words, stdin=text)[1])["notes"]
        return found

    assert notes("comm=a,uid=0") == [
        "level 3 until its period is measured, then by rate_monotonic one of 7, 6, 5, 3",
        "at most 2 threads have this level at a time; the others are fair",
    ]
    assert notes("comm=f,uid=0") == []


def test_privilege_holds_back(run: Run) -> None:
    found = explained(run, "comm=data-loop.0,exe=/usr/bin/pipewire,user=bob")
    assert (found["class"], found["matched"], found["tier"]) == ("default", "audio", "fair")
    assert found["held_back"]
    assert outcomes(found)[0] == ("audio", "held_back", [])
    assert not explained(run, "unit=synth.service,uid=1001")["held_back"]


def test_text_for_people(run: Run) -> None:
    words = ("explain", "--profile", "-", "--facts", FACTS, "--thread", "comm=data-loop.0,uid=1001")
    code, out, _ = run(*words, stdin=PROFILE)
    assert code == 0
    assert out.splitlines() == [
        "a thread 'data-loop.0': uid 1001, /",
        "class default (held back from 'low'), fair tier, by profile studio",
        "  - audio (<stdin>:10:9): exe: there is none, not '/usr/bin/*'",
        "  - audio (<stdin>:11:9): unit: there is none, not 'synth.service'",
        "  ! low (<stdin>:6:13): matches by what anybody can give a thread, and uid 1001 is not one of"
        " realtime_users: the thread stays in the fair tier",
        "  + rest (<stdin>:14:18): matches too, but has precedence -5, and 'low' has 0",
    ]


def test_a_run_scope(run: Run) -> None:
    found = explained(run, "uid=1000,user_unit=schedctl-run-low-5-6.scope")
    assert (found["class"], found["level"]) == ("low", 2)
    assert found["thread"]["unit"] == "user@1000.service"
    assert [rule["implicit"] for rule in found["rules"] if rule["outcome"] == "wins"] == [True]


def test_scheduling_policies(run: Run) -> None:
    for policy, tier, note in (
        ("idle", "background", "SCHED_IDLE"),
        ("batch", "fair", "SCHED_BATCH"),
        ("fifo", "realtime", "SCHED_FIFO"),
    ):
        found = explained(run, f"comm=data-x,policy={policy}")
        assert (found["class"], found["tier"]) == ("low", tier)
        assert found["notes"][0].startswith(note)


def test_units_come_from_the_cgroup(run: Run) -> None:
    found = explained(run, "cgroup=/system.slice/synth.service/x,uid=1001")
    assert (found["class"], found["thread"]["unit"]) == ("audio", "synth.service")


def test_a_comma_belongs_to_the_value_before_it(run: Run) -> None:
    assert explained(run, "comm=a,b,uid=7")["thread"]["comm"] == "a,b"


def test_live_threads(run: Run) -> None:
    code, out, _ = run("explain", str(os.getpid()), "--profile", "good", "--json")
    document = checked("explain", out)
    assert (code, document["tids"]) == (0, [os.getpid()])
    name = document["thread"]["comm"]
    document = checked("explain", run("explain", name, "--profile", "good", "--json")[1])
    assert os.getpid() in [tid for entry in document["threads"] for tid in entry["tids"]]
    assert "class" not in document


def test_a_name_that_is_too_long(run: Run) -> None:
    _, _, err = run("explain", "a-name-of-16-byte", "--profile", "good")
    assert "names have at most 15 bytes: try 'a-name-of-16-by'" in err


def test_many_rules_are_told_in_few_lines(run: Run) -> None:
    rules = "\n".join(f"      - {{comm: x{n}, user: root}}" for n in range(40))
    text = f"schedctl: 1\nname: many\nclasses:\n  a:\n    match:\n{rules}\n      - {{comm: y}}\n"
    _, out, _ = run("explain", "--profile", "-", "--thread", "comm=x7,uid=5", stdin=text)
    lines = out.splitlines()
    assert len(lines) < 50
    _, out, _ = run("explain", "--profile", "-", "--thread", "comm=z,uid=5", stdin=text)
    assert out.splitlines()[-1] == "    41 other rules do not match"
