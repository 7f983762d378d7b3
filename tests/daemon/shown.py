# SPDX-License-Identifier: GPL-2.0-only
"""`make ejections`: the kernel ends the scheduler in three ways, and what a person reads after each."""

from __future__ import annotations

from contextlib import ExitStack

from tests.conftest import CONFIGS, Guest, Lab
from tests.daemon.test_ejected import COUNT, LOAD_S, STALLS, WRONG_QUEUE, misbehave
from tests.daemon.test_service import start
from tests.kernel.faulty import replaced

_SYSRQ = "sysrq"
WAYS = {
    WRONG_QUEUE: "a kfunc is called with a queue that does not exist",
    STALLS: "a thread waits in no queue until the kernel's watchdog sees it",
    _SYSRQ: "a person types SysRq-S",
}
ENTRY = "journalctl --no-pager -a -q -b -x -n 1 -u schedctld SCHEDCTL_EVENT=ejected"
UNIT = "systemctl status schedctld --no-pager --full --lines 0"
# One command in the guest: between two its idle time leaps.
READ = "; ".join(
    f"echo '# {command}'; {command} 2>&1; echo \"exit status $?\"; echo"
    for command in ("schedctl status", "schedctl plan", UNIT, f"journalctl --sync; {ENTRY}")
).replace("# journalctl --sync; ", "# ")
AGAIN = "echo '# schedctl status'; schedctl status 2>&1; echo \"exit status $?\""


def ended(guest: Guest, way: str) -> str:
    if way == _SYSRQ:
        known = "until grep -q record_at_ns /run/schedctl/ejections; do sleep 0.5; done"
        return guest.run(f"echo S > /proc/sysrq-trigger; {known}; {READ}").stdout
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
                    print(guest.run(f"echo '# schedctl apply'; schedctl apply 2>&1; {AGAIN}").stdout)
                    guest.sh("systemctl stop schedctld")
                else:
                    back = f"until read n < {COUNT}; [ $n = {count + 1} ]; do sleep 0.5; done"
                    print(guest.run(f"{back}; {AGAIN}", timeout=LOAD_S * 2).stdout, flush=True)
    finally:
        machines.stop()


if __name__ == "__main__":
    main()
