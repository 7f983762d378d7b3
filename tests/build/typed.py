# SPDX-License-Identifier: GPL-2.0-only
"""Types commands into a shell on a terminal, one after the other, as a person does. Runs in the guest.

stdin: a JSON list of commands, of one or more lines. stdout: a list of each one's exit status, and what
the terminal showed. Whoever is asked whether a policy stays, answers yes.
"""

import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
import time

QUESTION, ANSWER = b"keep it? [y/N]", b"y\n"
PROMPT = re.compile(rb"<<(\d+)>>$")
ROWS, COLUMNS = 50, 120
# What the daemon follows is live a moment after it was saved, here where everything takes its time.
SAVED, MOMENT_S = "sed -i ", 6
ENVIRONMENT = {"PS1": "<<$?>>", "PS2": "", "SYSTEMD_PAGER": "cat", "TERM": "dumb"}


def open_shell() -> int:
    pid, terminal = pty.fork()
    if pid == 0:
        settings = termios.tcgetattr(0)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(0, termios.TCSANOW, settings)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.execvpe("bash", ["bash", "--norc", "--noediting", "-i"], os.environ | ENVIRONMENT)
    return terminal


def until_prompt(terminal: int) -> tuple[int, str]:
    shown, answered = b"", False
    while (prompt := PROMPT.search(shown)) is None:
        shown += os.read(terminal, 65536)
        if QUESTION in shown and not answered:
            os.write(terminal, ANSWER)
            answered = True
    return int(prompt[1]), shown[: prompt.start()].decode(errors="replace").replace("\r\n", "\n")


def main() -> None:
    terminal = open_shell()
    until_prompt(terminal)
    results = []
    for command in json.load(sys.stdin):
        os.write(terminal, command.encode() + b"\n")
        results.append(until_prompt(terminal))
        time.sleep(MOMENT_S if command.startswith(SAVED) else 0)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
