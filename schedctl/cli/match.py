# SPDX-License-Identifier: GPL-2.0-only
"""schedctl match: which threads of this machine a rule would take, before it is written anywhere."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from schedctl.cli.report import Report
from schedctl.cli.threads import NOT_SEEN, thread_document
from schedctl.cli.words import rule_profile
from schedctl.errors import Problem
from schedctl.kernel.procfs import LiveThread, threads
from schedctl.printable import columns, shown
from schedctl.resolve.assignment import resolve
from schedctl.resolve.match import failed_predicates, may_lift


def run(args: argparse.Namespace) -> Report:
    from schedctl.cli.host import facts_for

    profile = rule_profile(args.rule)
    assignment = resolve(profile, facts_for(profile, None))
    rules = [rule for rule in assignment.rules if not rule.implicit]
    taken: list[LiveThread] = []
    total = unreadable = 0
    for live in threads():
        total += 1
        failed = set(failed_predicates(rules[0].item, live.thread)) if rules else {"user"}
        if not failed:
            taken.append(live)
        elif not live.exe_known and failed <= {"exe", "exe_owner"}:
            unreadable += 1
    lifted = [bool(rules) and may_lift(assignment, rules[0].item, live.thread) for live in taken]
    data: dict[str, Any] = {
        "threads": [_document(live, may) for live, may in zip(taken, lifted, strict=True)],
        "of": total,
        "trusted": bool(rules) and rules[0].item.trusted,
        "unreadable": unreadable,
    }
    return Report("\n".join(_lines(taken, lifted, data)), data, problems=_placeless(assignment.problems))


def _placeless(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """The rule stands in no file."""
    return tuple(replace(p, file="", line=0, column=0, path="", source="") for p in problems)


def _document(live: LiveThread, may: bool) -> dict[str, Any]:
    return {"tid": live.tid, "pid": live.pid, **thread_document(live.thread), "lifted": may}


def _lines(taken: list[LiveThread], lifted: list[bool], data: dict[str, Any]) -> list[str]:
    lines = []
    if taken:
        rows: list[tuple[str, ...]] = [("TID", "PID", "UID", "NAME", "UNIT", "EXECUTABLE")]
        for live in taken:
            thread = live.thread
            numbers = (str(n) for n in (live.tid, live.pid, thread.uid))
            texts = (thread.comm, thread.user_unit or thread.unit, thread.exe)
            rows.append((*numbers, *(shown(text) or "-" for text in texts)))
        lines = [*columns(rows), ""]
    lines.append(f"{len(taken)} of {data['of']} threads")
    if not all(lifted):
        lines.append(
            f"a level would not reach {lifted.count(False)} of them: their users are not in realtime_users,"
            " and the rule says nothing that cannot be forged (unit, user, group or kthread)"
        )
    if data["unreadable"]:
        lines.append(f"{data['unreadable']} more may fit, but {NOT_SEEN}")
    return lines
