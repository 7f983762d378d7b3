# SPDX-License-Identifier: GPL-2.0-only
"""A root shell on a console of the guest, joined to this process's own terminal."""

from __future__ import annotations

import os
import re
import select
import shlex
import socket
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.vm import VM, VMDiedError

STDIN, STDOUT = 0, 1
END_OF_INPUT = b"\x04"
PAUSE_S = 0.2
# The guest's own words for an end that was asked for, on its console.
ASKED = re.compile(r"reboot: (Power down|Restarting system|System halted)")


@contextmanager
def _raw() -> Iterator[None]:
    """Every key goes to the guest, Ctrl-C too."""
    if not os.isatty(STDIN):
        yield
        return
    before = termios.tcgetattr(STDIN)
    tty.setraw(STDIN)
    try:
        yield
    finally:
        termios.tcsetattr(STDIN, termios.TCSADRAIN, before)


def _pump(port: socket.socket, ended: threading.Event) -> None:
    """Both ways, until the shell has ended and its last output is out."""
    sources: list[int] = [STDIN, port.fileno()]
    while True:
        ready = select.select(sources, [], [], PAUSE_S)[0]
        if not ready and ended.is_set():
            return
        if STDIN in ready:
            data = os.read(STDIN, 1024)
            if not data:
                sources.remove(STDIN)
            port.sendall(data or END_OF_INPUT)
        if port.fileno() in ready:
            data = port.recv(65536)
            if not data:
                return
            os.write(STDOUT, data)


def _command() -> str:
    # not what LINES and COLUMNS say: a parent may have left them from another terminal
    size = os.get_terminal_size(STDIN) if os.isatty(STDIN) else os.terminal_size((80, 24))
    term = shlex.quote(os.environ.get("TERM", "dumb"))
    editing = "" if os.isatty(STDIN) else "--noediting"
    inner = f"stty sane rows {size.lines} columns {size.columns}; exec bash -il {editing}"
    return (
        "systemctl -q mask --now --runtime serial-getty@hvc0.service 2>/dev/null;"
        f"export TERM={term}; exec setsid -cw sh -c {shlex.quote(inner)} <>/dev/hvc0 >&0 2>&0"
    )


def attach(vm: VM) -> int:
    """The shell's exit status; 0 when the machine was switched off from within."""
    port, ended = vm.terminal(), threading.Event()
    pump = threading.Thread(target=_pump, args=(port, ended), daemon=True)
    with port, _raw():
        pump.start()
        try:
            return vm.run(_command(), timeout=float("inf")).status
        except VMDiedError:
            if ASKED.search(vm.console()):
                return 0
            raise
        finally:
            ended.set()
            pump.join(5)
