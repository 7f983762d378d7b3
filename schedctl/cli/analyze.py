# SPDX-License-Identifier: GPL-2.0-only
"""schedctl analyze: will these threads meet their deadlines? Exit 0, 3 (they will not) or 4 (not known)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from schedctl.analysis.admission import analyze_profile, profile_changes, profile_cpus
from schedctl.analysis.advice import advice, sentences
from schedctl.analysis.domain import Domain, missing
from schedctl.analysis.model import Placement, Strength, TestResult, Verdict
from schedctl.analysis.report import Analysis, TaskSet, analyze
from schedctl.analysis.taskset import load_taskset
from schedctl.analysis.text import duration, percent
from schedctl.cli.report import Report
from schedctl.cli.source import STDIN, compiled, load
from schedctl.errors import EXIT_NOT_SCHEDULABLE, EXIT_OK, EXIT_UNKNOWN, Problem, UsageError
from schedctl.profile.document import MAX_BYTES

EXITS = {
    Verdict.SCHEDULABLE: EXIT_OK,
    Verdict.NOT_SCHEDULABLE: EXIT_NOT_SCHEDULABLE,
    Verdict.UNKNOWN: EXIT_UNKNOWN,
}
_MAX_ROWS = 40


def run(args: argparse.Namespace) -> Report:
    if args.taskset is not None:
        return _taskset(args)
    loaded = load(args.source, args.facts)
    prepared = compiled(loaded.profile, args.facts)
    analysis = analyze_profile(prepared.assignment)
    found, result = analysis.domain.found, analysis.result
    _draw(args, found, analysis.of_threads)
    said: tuple[str, ...] = ()
    if args.explain and found.tasks:
        options, more = profile_changes(analysis.domain), profile_cpus(analysis.domain)
        whole = not analysis.domain.unproven_level
        said = tuple(sentences(found, options, result.verdict, more, whole=whole))
    data = {"profile": loaded.profile.name, **result.to_document()}
    text = [*lines(found, result, said)] if found.tasks else [*nothing_said(analysis.domain)]
    return _report(args, result, text, data, said, prepared.problems)


def _taskset(args: argparse.Namespace) -> Report:
    if args.source is not None or args.facts is not None:
        raise UsageError("a task set is no profile and needs no facts", "`schedctl analyze --taskset FILE`")
    stdin = sys.stdin.buffer.read(MAX_BYTES + 1) if args.taskset == STDIN else None
    found = load_taskset(Path(args.taskset), stdin)
    result = analyze(found)
    _draw(args, found, result)
    said = advice(found, result) if args.explain else ()
    return _report(args, result, [*lines(found, result, said)], result.to_document(), said, ())


def _draw(args: argparse.Namespace, found: TaskSet, result: Analysis) -> None:
    if args.plot is not None:
        if not found.tasks:
            raise UsageError("there is nothing to draw: no class says runtime, period and threads")
        from schedctl.analysis.plot import write_plot  # matplotlib

        write_plot(Path(args.plot), found, result)


def _report(
    args: argparse.Namespace,
    result: Analysis,
    text: Sequence[str],
    data: dict[str, Any],
    said: Sequence[str],
    problems: tuple[Problem, ...],
) -> Report:
    if args.explain:
        data = {**data, "advice": list(said)}
    return Report("\n".join(text), data, exit_code=EXITS[result.verdict], problems=problems)


def lines(found: TaskSet, result: Analysis, said: Sequence[str]) -> Iterator[str]:
    """The verdict first, then what each test says, the tasks of the best one, advice, and what is assumed."""
    share = percent(result.utilization)
    cpus = "1 CPU" if found.cpus == 1 else f"{found.cpus} CPUs"
    how = "" if found.placement is Placement.UNIPROCESSOR else f", {found.placement.value}"
    yield f"{result.verdict}: {len(found.tasks)} tasks, {share} of a CPU, on {cpus}{how}, {result.scheduler}"
    yield ""
    yield f"  {'test':<28} {'strength':<11} says"
    for test in result.tests:
        yield f"  {test.name:<28} {test.strength:<11} {_said(test):<16} {test.detail}"
    if table := _best(result.tests):
        yield ""
        yield f"  {'task':<20} {'response':>12} {'deadline':>12} {'slack':>12}   ({table.name})"
        late = "late" if table.verdict is Verdict.NOT_SCHEDULABLE else "not proven"
        for task in table.tasks[:_MAX_ROWS]:
            times = [_time(task.response_time_ns, "no bound"), _time(task.deadline_ns), _time(task.slack_ns)]
            mark = "" if task.fits else f"   {late}"
            yield f"  {task.name:<20} {times[0]:>12} {times[1]:>12} {times[2]:>12}{mark}"
        if (rest := len(table.tasks) - _MAX_ROWS) > 0:
            yield f"  … and {rest} more; --json has all"
    if said:
        yield ""
        yield "what is free, to one of them:" if result.verdict is Verdict.SCHEDULABLE else "what would help:"
        yield from (f"  {text}" for text in said)
    yield ""
    yield "assumed:"
    yield from (f"  {text}" for text in result.assumptions)


def nothing_said(domain: Domain) -> Iterator[str]:
    """What a profile needs to say so that there is something to analyze."""
    yield "UNKNOWN: no class with a level says 'runtime', 'period' and 'threads'"
    if domain.silent:
        yield ""
        yield from (f"  {cls.name:<20} {missing(cls)}" for cls in domain.silent)
    yield ""
    yield "Such a profile is applied as it is: it puts these classes first, and promises no response times."
    yield "For an answer write into each class, in a copy of the profile:"
    yield "  period    how often one of its threads wakes up to work, at most"
    yield "  runtime   how much CPU time it needs each time, at most: it is also held to that"
    yield "  threads   how many of them there are, at most: `schedctl match comm=NAME` counts them"


def _said(test: TestResult) -> str:
    return "proves nothing" if test.verdict is Verdict.UNKNOWN else test.verdict.value


def _best(tests: tuple[TestResult, ...]) -> TestResult | None:
    """The response times of the test that decided, else of any but the best case of a necessary one."""
    best_case = (Strength.NECESSARY, Verdict.UNKNOWN)
    with_times = [test for test in tests if test.tasks and (test.strength, test.verdict) != best_case]
    decided = [test for test in with_times if test.verdict is not Verdict.UNKNOWN]
    return next(iter([*decided, *with_times]), None)


def _time(ns: int | None, without: str = "") -> str:
    return without if ns is None else duration(ns)
