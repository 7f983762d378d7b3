# SPDX-License-Identifier: GPL-2.0-only
"""schedctl explain: why a thread has its class, for live threads or for one that is only described."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator
from typing import Any

from schedctl.cli import measured
from schedctl.cli.host import facts_for
from schedctl.cli.report import Report
from schedctl.cli.source import load
from schedctl.cli.threads import NOT_SEEN, thread_document
from schedctl.cli.words import thread_of
from schedctl.errors import MissingError, UsageError
from schedctl.glob import encoded, glob_match
from schedctl.image.task import MeasuredPeriod
from schedctl.printable import shown
from schedctl.profile.model import Tier
from schedctl.resolve.assignment import Assignment, resolve
from schedctl.resolve.explain import Explanation, Outcome, RuleVerdict, explain, predicates
from schedctl.resolve.match import Thread

# More rules than that: only those that match, or nearly.
ALL_RULES_SHOWN = 20
TIDS_SHOWN = 8
_SIGN = {Outcome.WINS: "*", Outcome.HELD_BACK: "!", Outcome.OUTRANKED: "+", Outcome.NO_MATCH: "-"}


def run(args: argparse.Namespace) -> Report:
    if (args.target is None) == (args.thread is None):
        raise UsageError("name one thread", "`schedctl explain TID|NAME`, or --thread 'comm=…,uid=…'")
    if args.facts and not args.thread:
        raise UsageError("--facts is about another host: describe the thread with --thread")
    profile = load(args.profile, args.facts).profile
    facts = facts_for(profile, args.facts)
    assignment = resolve(profile, facts)
    notes: list[str] = []
    if args.thread is not None:
        found: dict[Thread, list[int]] = {thread_of(args.thread, facts): []}
    else:
        found, notes = _live(args.target)
    texts, documents = [], []
    for thread, tids in found.items():
        explanation = explain(assignment, thread)
        periods = _periods(tids)
        told = [measured.line(tid, period) for tid, period in list(periods.items())[:TIDS_SHOWN]]
        lines = [*_lines(assignment, explanation, tids), *told, *(f"note: {n}" for n in notes)]
        texts.append("\n".join(lines))
        documents.append(_document(explanation, tids, notes) | {"measured": measured.documents(periods)})
    by_name = args.target is not None and not args.target.isdecimal()
    data = {"threads": documents} if by_name else documents[0]
    return Report("\n\n".join(texts), {"profile": assignment.profile, **data}, problems=assignment.problems)


def _live(target: str) -> tuple[dict[Thread, list[int]], list[str]]:
    """The threads that a TID or a name means, equal ones together; MissingError where there is none."""
    from schedctl.kernel import procfs

    names: set[bytes] = set()

    def wanted(comm: bytes) -> bool:
        names.add(comm)
        return glob_match(target, comm)

    if target.isdecimal():
        one = procfs.thread_by_tid(int(target))
        live = [one] if one else []
    else:
        live = list(procfs.threads(wanted))
    if not live:
        raise MissingError(*_nobody(target, names))
    found: dict[Thread, list[int]] = {}
    for entry in live:
        found.setdefault(entry.thread, []).append(entry.tid)
    hidden = not all(entry.exe_known for entry in live)
    note = f"rules with `exe` are taken not to match these threads: {NOT_SEEN}"
    return found, [note] if hidden else []


def _periods(tids: list[int]) -> dict[int, MeasuredPeriod]:
    """What the running scheduler has measured of them; nothing of a thread that is only described."""
    if not tids:
        return {}
    from schedctl.kernel.real import RealKernel

    return measured.measured_periods(RealKernel(), tids)


def _nobody(target: str, names: set[bytes]) -> tuple[str, str | None]:
    if target.isdecimal():
        return f"there is no thread {target}", None
    if len(encoded(target)) > 15:
        cut = encoded(target)[:15].decode(errors="ignore")
        return f"no thread is called {target!r}", f"names have at most 15 bytes: try {cut!r}"
    close = difflib.get_close_matches(target, sorted(map(shown, names)), 1, 0.6)
    return f"no thread is called {target!r}", f"did you mean {close[0]!r}?" if close else None


# --- for machines ---------------------------------------------------------------------------------


def _document(explanation: Explanation, tids: list[int], notes: list[str]) -> dict[str, Any]:
    decision = explanation.decision
    return {
        "tids": tids,
        "thread": thread_document(explanation.thread),
        "class": decision.effective,
        "tier": decision.tier.value,
        "level": decision.level,
        "matched": decision.matched,
        "held_back": decision.held_back,
        "rules": [_rule_document(verdict) for verdict in explanation.rules],
        "notes": [*explanation.notes, *notes],
    }


def _rule_document(verdict: RuleVerdict) -> dict[str, Any]:
    rule = verdict.rule
    return {
        "rank": verdict.rank,
        "class": rule.class_name,
        "file": rule.origin.file,
        "line": rule.origin.line,
        "column": rule.origin.column,
        "implicit": rule.implicit,
        "trusted": rule.item.trusted,
        "outcome": verdict.outcome.value,
        "failed": list(verdict.failed),
        "why": verdict.why,
    }


# --- for people -----------------------------------------------------------------------------------


def _lines(assignment: Assignment, explanation: Explanation, tids: list[int]) -> Iterator[str]:
    yield _headline(explanation.thread, tids)
    yield f"class {_class(explanation)}, by profile {assignment.profile}"
    explicit = [v for v in explanation.rules if not v.rule.implicit or v.outcome is not Outcome.NO_MATCH]
    few = len(explicit) <= ALL_RULES_SHOWN
    told = [verdict for verdict in explicit if few or _tells(verdict)]
    for verdict in told:
        rule = verdict.rule
        place = f"{rule.origin.file}:{rule.origin.line}:{rule.origin.column}"
        by = "`schedctl run`, " if rule.implicit else ""
        yield f"  {_SIGN[verdict.outcome]} {rule.class_name} ({by}{place}): {verdict.why}"
    if left := len(explicit) - len(told):
        yield f"    {left} other rules do not match"
    for note in explanation.notes:
        yield f"note: {note}"


def _tells(verdict: RuleVerdict) -> bool:
    """It matches, or only one of its predicates does not."""
    return len(verdict.failed) == 0 or len(verdict.failed) == 1 < len(predicates(verdict.rule.item))


def _headline(thread: Thread, tids: list[int]) -> str:
    who = "a thread"
    if tids:
        more = f" and {len(tids) - TIDS_SHOWN} more" if len(tids) > TIDS_SHOWN else ""
        who = f"{'thread' if len(tids) == 1 else 'threads'} {', '.join(map(str, tids[:TIDS_SHOWN]))}{more}"
    parts = [f"uid {thread.uid}", thread.exe, thread.user_unit or thread.unit or thread.cgroup]
    if thread.kthread:
        parts.insert(0, "kernel thread")
    return f"{who} {shown(thread.comm)!r}: {', '.join(shown(part) for part in parts if part)}"


def _class(explanation: Explanation) -> str:
    decision = explanation.decision
    place = f"level {decision.level}" if decision.tier is Tier.REALTIME else f"{decision.tier} tier"
    held = f" (held back from {decision.matched!r})" if decision.held_back else ""
    return f"{decision.effective}{held}, {place}"
