# SPDX-License-Identifier: GPL-2.0-only
"""The lab's commands, run and shell: their options and exit statuses."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.lab.terminal import attach
from tests.lab.vm import VM, Config, VMDiedError, VMTimeoutError, slot

EXIT_TIMEOUT, EXIT_DIED = 124, 125


def _file(word: str) -> Path:
    path = Path(word)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no file {word}")
    return path


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"tests/lab/{name}", description=description)
    parser.add_argument("--smp", type=int, default=2, metavar="N", help="virtual CPUs (2)")
    parser.add_argument(
        "--possible", type=int, default=0, metavar="N", help="so many CPUs, all but --smp offline"
    )
    parser.add_argument("--numa", type=int, default=1, metavar="N", help="NUMA nodes (1)")
    parser.add_argument("--icount", action="store_true", help="guest time follows executed instructions")
    parser.add_argument("--kernel", choices=("standard", "cloud"), default="standard")
    parser.add_argument("--append", default="", metavar="WORDS", help="added to the kernel's command line")
    parser.add_argument(
        "--copy", type=_file, action="append", default=[], metavar="FILE", help="to /root/ first"
    )
    return parser


def _parse(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, Config]:
    args = parser.parse_args()
    if not 1 <= args.numa <= args.smp:
        parser.error("--numa must be from 1 to the number of CPUs")
    if args.possible and not (args.numa == 1 and args.smp <= args.possible):
        parser.error("--possible must be at least the number of CPUs, on one node")
    return args, Config(args.smp, args.numa, args.icount, args.kernel, args.append, args.possible)


def _end(number: int, _frame: object) -> None:
    """Once: the end takes the machine down and must not be interrupted."""
    for other in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def _status(name: str, body: Callable[[], int]) -> int:
    """What `body` returns, or what its failure means."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _end)
    try:
        return body()
    except VMTimeoutError as error:
        print(f"tests/lab/{name}: {str(error).splitlines()[0]}", file=sys.stderr)
        return EXIT_TIMEOUT
    except VMDiedError as error:
        print(f"tests/lab/{name}: {error}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"tests/lab/{name}: no machine: {error}", file=sys.stderr)
    except BrokenPipeError:  # nobody reads our output any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return EXIT_DIED


def _show(stream: str, data: bytes) -> None:
    target = sys.stdout.buffer if stream == "o" else sys.stderr.buffer
    target.write(data)
    target.flush()


def run(description: str) -> int:
    parser = _parser("run", description)
    parser.add_argument("--timeout", type=float, default=600, metavar="S", help="for the command (600)")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    args, config = _parse(parser)

    def body() -> int:
        with slot(), VM(config, args.copy) as vm:
            return vm.run(args.command, args.timeout, _show).status

    return _status("run", body)


def shell(description: str) -> int:
    args, config = _parse(_parser("shell", description))

    def body() -> int:
        print("lab: booting; exit, Ctrl-D or poweroff ends it", file=sys.stderr)
        with slot(), VM(config, args.copy, terminal=True) as vm:
            return attach(vm)

    return _status("shell", body)
