# SPDX-License-Identifier: GPL-2.0-only
"""A transient timer of systemd that runs a verb of schedctl later, whoever has gone by then."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from schedctl import clock, paths
from schedctl.errors import HostError

_WAIT_S = 10.0


class Timer(Protocol):
    def arm(self, name: str, after_s: float, words: list[str]) -> str:
        """Run `schedctl WORDS` after so many seconds; the name for `disarm`. HostError."""
        ...

    def disarm(self, name: str) -> None:
        """Nothing where it is over, or cannot be reached: what it runs then finds nothing to do."""
        ...


class SystemdTimer:
    """By systemd-run: the service manager counts, and no process of ours has to live."""

    def arm(self, name: str, after_s: float, words: list[str]) -> str:
        unit = f"schedctl-{name}-{clock.boot_ns() // 1_000_000}"
        options = [f"--on-active={after_s:.3f}s", "--timer-property=AccuracySec=100ms", f"--unit={unit}"]
        command = ["systemd-run", "--quiet", "--collect", *options, "--", *_program(), *words]
        if not paths.under_root("/run/systemd/system").is_dir():
            raise _no_timer("systemd does not run here")
        try:
            done = subprocess.run(command, capture_output=True, timeout=_WAIT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _no_timer(str(error)) from None
        if done.returncode:
            raise _no_timer(done.stderr.decode(errors="replace").strip() or f"status {done.returncode}")
        return unit

    def disarm(self, name: str) -> None:
        with suppress(OSError, subprocess.TimeoutExpired):
            command = ["systemctl", "--no-block", "stop", f"{name}.timer"]
            subprocess.run(command, capture_output=True, timeout=_WAIT_S, check=False)


def _program() -> list[str]:
    """This schedctl, not another one that a search path might find."""
    own = Path(sys.argv[0]).resolve()
    if own.name == "schedctl" and os.access(own, os.X_OK):
        return [str(own)]
    return [sys.executable, "-c", "from schedctl.cli.main import entry; raise SystemExit(entry())"]


def _no_timer(why: str) -> HostError:
    return HostError(
        f"no timer can be set: {why}",
        "`systemctl start schedctld`, which has its own; or `--confirm-within 0`, and nothing comes back",
    )
