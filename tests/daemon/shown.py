# SPDX-License-Identifier: GPL-2.0-only
"""`make ejections`: the kernel ends the scheduler in three ways, and what a person reads after each."""

from __future__ import annotations

from contextlib import ExitStack

from tests.conftest import CONFIGS, Guest, Lab
from tests.daemon.test_ejected import COUNT, STALLS, UNIT, WRONG_QUEUE, attached_again, known, misbehave
from tests.daemon.test_service import start
from tests.kernel.faulty import replaced

_SYSRQ = "sysrq"
WAYS = {
    WRONG_QUEUE: "a kfunc is called with a queue that does not exist",
    STALLS: "a thread waits in no queue until the kernel's watchdog sees it",
    _SYSRQ: "a person types SysRq-S",
}
ENTRY = "journalctl --no-pager -a -q -b -x -n 1 -u schedctld SCHEDCTL_EVENT=ejected"


def shown(*commands: str) -> str:
    """Each command, its output and exit status, in one line: between two the guest's idle time leaps."""
    return "; ".join(f"echo '# {word}'; {word} 2>&1; echo \"exit status $?\"; echo" for word in commands)


READ = f"journalctl --sync; {shown('schedctl status', 'schedctl plan', f'{UNIT} --lines 0', ENTRY)}"


def ended(guest: Guest, way: str) -> str:
    if way == _SYSRQ:
        return guest.run(f"echo S > /proc/sysrq-trigger; {known(1)}; {READ}").stdout
    return misbehave(guest, way, 1, READ)


def main() -> None:
    machines = Lab()
    try:
        for way, what in WAYS.items():
            guest = machines.guest(CONFIGS["lab1"])
            with ExitStack() as stack:
                if way != _SYSRQ:
                    stack.enter_context(replaced(guest, "by-name"))
                start(guest)
                count = int(guest.sh(f"cat {COUNT}"))
                print(f"=== {what}\n\n{ended(guest, way)}", flush=True)
                if way == _SYSRQ:
                    print(guest.run(shown("schedctl apply", "schedctl status")).stdout, flush=True)
                    guest.sh("systemctl stop schedctld")
                else:
                    attached_again(guest, count + 1)
                    print(guest.run(shown("schedctl status")).stdout, flush=True)
    finally:
        machines.stop()


if __name__ == "__main__":
    main()
