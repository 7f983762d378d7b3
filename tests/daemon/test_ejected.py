# SPDX-License-Identifier: GPL-2.0-only
"""The kernel ends the scheduler, for real: what the daemon says and does, and what `status` shows.

The third way, SysRq-S, is in test_service.py. Waits of seconds are within one command: between commands the
guest's idle time leaps.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.conftest import Guest
from tests.daemon.test_service import EDITED, eventually, start
from tests.kernel.faulty import replaced

# See bpf/fault.bpf.h: one waits in no queue, the other is put into one that does not exist.
STALLS, WRONG_QUEUE = "fault-s", "fault-k"
# Its line "Status:" is what the daemon told the service manager last.
UNIT = "systemctl status schedctld --no-pager --full"
LOAD_S = 60
COUNT = "/sys/kernel/sched_ext/enable_seq"


def misbehave(guest: Guest, comm: str, times: int, then: str = "true") -> str:
    """A thread of that name; once it is known that the scheduler has ended so many times, another command."""
    thread = f"setsid sh -c 'printf {comm} > /proc/$$/comm; sleep 0.2; :' > /dev/null 2>&1 &"
    return guest.run(f"{thread} {known(times)}; {then}").stdout


def known(times: int) -> str:
    """Waits until the daemon has seen that the scheduler has ended so many times."""
    return f"until [ $(grep -o record_at_ns /run/schedctl/ejections | wc -l) = {times} ]; do sleep 0.5; done"


def attached_again(guest: Guest, times: int) -> None:
    guest.sh(f"until read n < {COUNT}; [ $n = {times} ]; do sleep 0.5; done", timeout=LOAD_S * 2)


def ejections(guest: Guest) -> list[dict[str, Any]]:
    lines = guest.sh("journalctl --sync; journalctl -aq -b -o json -u schedctld SCHEDCTL_EVENT=ejected")
    found = list(map(json.loads, lines.splitlines()))
    for entry in found:
        print({key: str(value)[:160] for key, value in entry.items() if key.startswith(("SCHEDCTL", "MESS"))})
    return found


def unit_status(said: str) -> str:
    """Of what UNIT prints."""
    print(said)
    (line,) = re.findall(r'^ *Status: "(.*)"$', said, re.MULTILINE)
    return str(line)


def level(guest: Guest) -> int:
    return int(guest.schedctl("show", "--live")["image"]["classes"]["first"]["level"])


def test_after_three_ejections_the_last_good_policy_runs(lab1: Guest) -> None:
    with replaced(lab1, "by-name"):
        generation = start(lab1)
        assert lab1.schedctl("confirm")["exit"] == 0
        lab1.sh(f"sed -i 's/level: 6/level: 2/' {EDITED}")
        eventually(lab1, lambda: lab1.status()["generation"] == generation + 1)
        before = lab1.status()["enable_seq"]

        misbehave(lab1, WRONG_QUEUE, 1)
        attached_again(lab1, before + 1)
        status = lab1.status()
        assert (status["exit"], status["profile"], status["ejections"]["count"]) == (0, "edited", 1)
        assert status["ejections"]["next"] is None
        said = misbehave(lab1, STALLS, 2, f"schedctl status; echo exit $?; {UNIT}")
        assert "what is selected is attached again at" in said
        assert "\nexit 3\n" in said
        line = unit_status(said)
        assert re.search(r"attached again in \d+ s: it was ended 2 times within 10 minutes", line)
        attached_again(lab1, before + 2)
        assert level(lab1) == 2

        said = misbehave(lab1, WRONG_QUEUE, 3, f"schedctl status; {UNIT}")
        assert "the last good policy is attached at" in said
        assert "(this policy was ended 3 times within 10 minutes)" in said
        line = unit_status(said)
        assert re.search(r"the last good policy is attached in \d+ s: this policy was ended 3 times", line)
        attached_again(lab1, before + 3)
        assert level(lab1) == 6
        lab1.sh(f"systemctl restart schedctld; touch {EDITED}; sleep 5")
        said = lab1.run(f"schedctl status; echo exit $?; {UNIT}").stdout
        assert "the last good policy runs until `schedctl apply`" in said
        assert "\nexit 3\n" in said
        assert unit_status(said).startswith("the last good policy runs until `schedctl apply`: this policy")
        assert level(lab1) == 6

        found = ejections(lab1)
        assert [entry["SCHEDCTL_EXIT_KIND"] for entry in found] == ["error", "error_stall", "error"]
        assert [entry["SCHEDCTL_NEXT"] for entry in found] == ["retry", "retry", "last_good"]
        assert {(entry["SCHEDCTL_BLAME"], entry["SCHEDCTL_PROFILE"]) for entry in found} == {
            ("policy", "edited")
        }
        assert "non-existent DSQ" in found[0]["SCHEDCTL_EXIT_MSG"]
        assert "fault-k" in found[0]["SCHEDCTL_DUMP"]
        assert "fault-s" in found[1]["SCHEDCTL_EXIT_MSG"]
        lab1.sh("schedctl apply")
        status = lab1.status()
        assert (status["exit"], level(lab1), status["ejections"]) == (0, 2, None)
