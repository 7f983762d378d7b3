# SPDX-License-Identifier: GPL-2.0-only
"""Arguments to a verb, its report to stdout, its exit code. Verbs are imported when they are used."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, NoReturn

from schedctl import __version__
from schedctl.cli.report import Report, report_of, show
from schedctl.errors import InternalError, SchedctlError, UsageError

EXIT_INTERRUPTED = 130
SOURCE_HELP = "profile by name, PATH (with / or ending in .yaml), or - for standard input"

APPLY_HELP = f"{SOURCE_HELP}; a PATH may also be an image (`show`) or a plan (`plan -o`)"


class _Formatter(argparse.HelpFormatter):
    """As wide as the terminal, without shutil, which takes longer than all the parsers."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


@cache
def _columns() -> int:
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    try:
        return os.get_terminal_size().columns or 80
    except OSError:
        return 80


class _Parser(argparse.ArgumentParser):
    def __init__(self, **given: Any) -> None:
        super().__init__(formatter_class=_Formatter, **given)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, f"see `{self.prog} --help`")


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0
    if not 0.1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{word!r} is not from 0.1 to 3600 seconds")
    return seconds


def command_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="schedctl", description="Declarative low-latency CPU scheduling.")
    parser.add_argument("--version", action="version", version=f"schedctl {__version__}")
    common = _Parser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object on stdout")
    facts = _Parser(add_help=False)
    facts.add_argument("--facts", metavar="FILE", help="resolve for the host whose facts are in FILE")
    offline = [common, facts]
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)

    validate = verbs.add_parser("validate", parents=offline, help="check profiles, report all problems")
    validate.add_argument("sources", nargs="*", metavar="PROFILE", help=SOURCE_HELP)
    show_ = verbs.add_parser("show", parents=offline, help="the resolved policy, or the live one")
    what = show_.add_mutually_exclusive_group()
    what.add_argument("source", nargs="?", metavar="PROFILE", help=SOURCE_HELP)
    what.add_argument("--live", action="store_true", help="what the kernel runs now")
    cat = verbs.add_parser("cat", parents=offline, help="the effective profile, all layers merged")
    cat.add_argument("source", nargs="?", metavar="PROFILE", help=SOURCE_HELP)
    cat.add_argument("--origins", action="store_true", help="where each value comes from, and defaults")
    verbs.add_parser("list", parents=[common], help="the profiles of this machine")
    analyze = verbs.add_parser(
        "analyze", parents=offline, help="will the deadlines be met? (3: no, 4: unknown)"
    )
    analyze.add_argument("source", nargs="?", metavar="PROFILE", help=SOURCE_HELP)
    analyze.add_argument("--taskset", metavar="FILE", help="tasks from a file instead of a profile")
    analyze.add_argument("--plot", metavar="FILE", help="pictures, to FILE.svg or FILE.png")
    analyze.add_argument("--explain", action="store_true", help="what to change to make it fit")
    plan = verbs.add_parser("plan", parents=offline, help="what apply would change (exit 2: something)")
    plan.add_argument("source", nargs="?", metavar="PROFILE", help=SOURCE_HELP)
    plan.add_argument("-o", "--output", metavar="FILE", help="write the plan, for `schedctl apply ./FILE`")
    _add_changing(verbs, common)
    status = verbs.add_parser("status", parents=[common], help="what the kernel runs, read from the kernel")
    status.add_argument(
        "--watch", nargs="?", type=_seconds, const=2.0, metavar="SECONDS", help="again and again (2)"
    )
    verbs.add_parser("detach", parents=[common], help="back to the kernel's own scheduler")
    explain = verbs.add_parser("explain", parents=offline, help="why a thread has its class")
    explain.add_argument("target", nargs="?", metavar="TID|NAME", help="live threads, by number or name")
    explain.add_argument("--profile", metavar="PROFILE", help=SOURCE_HELP)
    explain.add_argument("--thread", metavar="KEY=…,…", help="a thread that is only described: comm=…,uid=…")
    match = verbs.add_parser("match", parents=[common], help="which threads a rule would take")
    match.add_argument("rule", nargs="+", metavar="KEY=GLOB", help="as in a profile; not:KEY=GLOB excludes")
    run = verbs.add_parser("run", help="a command in a class: schedctl run CLASS [--] COMMAND…")
    run.add_argument("class_name", metavar="CLASS")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    run.set_defaults(json=False)
    verbs.add_parser("facts", parents=[common], help="what this host is, as profiles see it")
    doctor = verbs.add_parser("doctor", parents=[common], help="what keeps schedctl from working here")
    doctor.add_argument("--report", metavar="FILE", help="also write all that a bug report needs")
    doctor.add_argument("--with-names", action="store_true", help="with names of threads, users and files")
    verbs.add_parser("version", parents=[common], help="versions of schedctl, kernel and libbpf")
    return parser


def _add_changing(verbs: argparse._SubParsersAction[_Parser], common: _Parser) -> None:
    """The verbs that decide what runs."""
    apply = verbs.add_parser("apply", parents=[common], help="make the kernel run a profile")
    apply.add_argument("source", nargs="?", metavar="SOURCE", help=APPLY_HELP)
    apply.add_argument("--persist", action="store_true", help="make it the standing choice, across reboots")
    apply.add_argument("--check", action="store_true", help="change nothing; exit 2 where it would")
    apply.add_argument("--diff", action="store_true", help="print each difference")
    within = "what ran before comes back unless confirmed in time: 60s; 0 = no (60s on a remote terminal)"
    apply.add_argument("--confirm-within", metavar="TIME", help=within)
    apply.add_argument("--takeover", action="store_true", help="end another scheduler that is attached")
    confirm = verbs.add_parser("confirm", parents=[common], help="keep what was applied with a time limit")
    confirm.add_argument("--settled", action="store_true", help=argparse.SUPPRESS)
    rollback = verbs.add_parser("rollback", parents=[common], help="back to what ran before")
    rollback.add_argument("number", nargs="?", type=int, metavar="NUMBER", help="of `schedctl history`")
    rollback.add_argument("--confirm-within", metavar="TIME", help="as for apply")
    rollback.add_argument("--unconfirmed", type=int, metavar="NUMBER", help=argparse.SUPPRESS)
    verbs.add_parser("history", parents=[common], help="who changed what runs, and what became of it")


def main(argv: Sequence[str]) -> int:
    """Run one command; returns the exit code of the table in errors.py."""
    verb, as_json = "schedctl", "--json" in argv
    try:
        args = command_parser().parse_args(argv)
        verb, as_json = args.verb, args.json
        report: Report = importlib.import_module(f"schedctl.cli.{verb}").run(args)
    except SchedctlError as error:
        report = report_of(error)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        report = report_of(SchedctlError(f"{error.filename or verb}: {error.strerror}"))
    except Exception as error:
        if os.environ.get("SCHEDCTL_DEBUG"):
            raise
        cause = f"{type(error).__name__}: {error}"
        hint = "please report it; with SCHEDCTL_DEBUG=1 it shows where"
        report = report_of(InternalError(f"a bug in schedctl: {cause}", hint))
    show(verb, report, as_json)
    return report.exit_code


def entry() -> int:
    gc.disable()  # a command is over before there is garbage worth a look
    try:
        return main(sys.argv[1:])
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # whoever read our output has left; nothing more can be said to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_INTERRUPTED
