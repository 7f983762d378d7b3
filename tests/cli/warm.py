# SPDX-License-Identifier: GPL-2.0-only
"""`warm.py IN OUT`: run verbs in forks of a process that has imported everything. Runs in the guest.

A verb takes 2 s of an emulated machine, most of it imports. Each line of the FIFO IN is JSON, {words,
stdin}; OUT gets its standard output, then a line with its exit code. What people start is tested too:
see test_verbs.py and Guest.run.
"""

import json
import os
import sys
from pathlib import Path

import jsonschema  # noqa: F401
import yaml  # noqa: F401

from schedctl.cli import apply, confirm, detach, explain, history, plan, rollback, show, status  # noqa: F401
from schedctl.cli.main import main
from schedctl.kernel import real  # noqa: F401


def serve(line: str, output: int) -> None:
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        os.dup2(os.open(request["stdin"], os.O_RDONLY), 0)
        os.dup2(output, 1)
        code = main(request["words"])
        sys.stdout.flush()
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(output, f"{code}\n".encode())


def loop() -> None:
    requests, answers = map(Path, sys.argv[1:])
    while True:
        line = requests.read_text()
        output = os.open(answers, os.O_WRONLY)
        serve(line, output)
        os.close(output)


if __name__ == "__main__":
    loop()
