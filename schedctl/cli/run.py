# SPDX-License-Identifier: GPL-2.0-only
"""schedctl run: a command in a scope of its own, whose name puts it into a class.

No daemon takes part: systemd makes the scope, and each class has a rule for its scopes. The status is
the command's.
"""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
import time
from typing import NoReturn

from schedctl.choice import chosen, loader
from schedctl.cli.report import Report
from schedctl.errors import HostError, MissingError, ProfileError, UsageError
from schedctl.profile.model import DEFAULT_CLASS
from schedctl.resolve.assignment import scope_name

SYSTEMD_RUN = "systemd-run"


def run(args: argparse.Namespace) -> Report:
    """Returns only where the command cannot be started."""
    words = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not words:
        raise UsageError("no command", "`schedctl run CLASS -- COMMAND`")
    _check_class(args.class_name)
    _execute(scope_name(args.class_name, os.getpid(), time.monotonic_ns() // 1_000_000), words)


def _execute(scope: str, words: list[str]) -> NoReturn:
    manager = ["--system"] if os.geteuid() == 0 else ["--user"]
    options = ["--scope", "--quiet", "--collect", f"--unit={scope}"]
    sys.stderr.flush()
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and a command inherits that
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(SYSTEMD_RUN, [SYSTEMD_RUN, *manager, *options, "--", *words])
    except FileNotFoundError:
        raise HostError(f"there is no {SYSTEMD_RUN}", "`schedctl run` needs systemd") from None


def _check_class(name: str) -> None:
    """A class that the profile in force does not have is refused; without a profile the command runs.

    So a misspelt class is found, and a game starts whether or not anybody has selected anything.
    """
    try:
        found = chosen(loader())
    except (MissingError, ProfileError) as error:
        print(f"schedctl: warning: {error.message}: {name!r} may not act", file=sys.stderr)
        return
    if found is None:
        print(f"schedctl: warning: no profile is selected: {name!r} does not act", file=sys.stderr)
        return
    profile = found.profile
    names = [cls.name for cls in profile.classes if cls.name != DEFAULT_CLASS]
    if name not in names:
        close = difflib.get_close_matches(name, names, 1, 0.6)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names) or 'none'}"
        raise MissingError(f"profile {profile.name!r} has no class {name!r}", hint)
