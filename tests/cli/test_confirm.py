# SPDX-License-Identifier: GPL-2.0-only
"""What comes back without a confirmation, on a real kernel with a real systemd, whoever is gone by then.

What waits for a timer is within one command: between commands the guest's idle time leaps.
"""

from __future__ import annotations

import json
from typing import Any

from tests.cli.output import checked
from tests.conftest import Guest
from tests.daemon.test_service import TWO, events, start

PROFILES = "/etc/schedctl/profiles"
# A terminal on which nobody types; --flush, or what it shows is in the file only when it has ended.
APPLY = "schedctl apply new --confirm-within 40s"
QUESTION = f"setsid sh -c \"sleep 1000 | script --flush -qc '{APPLY}' /root/terminal\""
TIMERS = "systemctl list-units --all --plain --no-legend 'schedctl-unconfirmed*'"
COME_BACK = "while [ -e /run/schedctl/pending ]; do sleep 0.5; done"
KILLED_BESIDE_IT = f"""
rm -f terminal; {QUESTION} > /dev/null 2>&1 &
until grep -qs 'keep it' terminal; do sleep 0.2; done
schedctl status --json > status.json
schedctl apply ./a.plan --json > apply.json
pkill -KILL -f '[a]pply new'; pkill -x sleep; while pgrep -f '[a]pply new'; do sleep 0.2; done
{COME_BACK}
"""
KILLED_DAEMON = f"""
schedctl apply new --confirm-within 30s --json > apply.json
{TIMERS} > timers
systemctl kill -s KILL schedctld
schedctl status --json > status.json
{COME_BACK}
"""


def prepare(guest: Guest) -> None:
    guest.sh(f"mkdir -p {PROFILES}")
    for name, level in (("old", "6"), ("new", "5")):
        guest.vm.put(
            f"{PROFILES}/{name}.yaml", TWO.replace("edited", name).replace("level: 6", f"level: {level}")
        )


def runs(guest: Guest, profile: str) -> bool:
    return bool(guest.status()["profile"] == profile)


def result(guest: Guest) -> tuple[str, str]:
    """Of the newest entry but the one for what came back."""
    entries = [e for e in guest.schedctl("history")["entries"] if e["verb"] != "unconfirmed"]
    return entries[-1]["profile"], entries[-1]["result"]


def written(guest: Guest, verb: str) -> dict[str, Any]:
    """What the verb has said within a longer command."""
    return checked(verb, guest.vm.get(f"/root/{verb}.json").decode())


def test_the_old_policy_comes_back_though_the_command_was_killed(lab1: Guest) -> None:
    """No daemon: a timer of systemd was armed before the kernel changed."""
    prepare(lab1)
    assert lab1.schedctl("apply", "old")["exit"] == 0
    lab1.schedctl("plan", "new", "-o", "/root/a.plan")
    lab1.vm.put("/root/beside.sh", KILLED_BESIDE_IT)  # a command line with these words would be killed, too
    lab1.sh("sh beside.sh")
    assert written(lab1, "status")["profile"] == "new"
    stale = written(lab1, "apply")
    assert stale["exit"] == 75
    assert "classes.first.level: 6 -> 5" in stale["problems"][0]["message"]
    assert runs(lab1, "old")
    assert result(lab1) == ("new", "unconfirmed")
    assert lab1.schedctl("confirm")["exit"] in (0, 75)
    # a real command from another terminal
    lab1.sh(
        f"schedctl apply new --confirm-within 60s --json > apply.json; {TIMERS} > timers; schedctl confirm"
    )
    assert written(lab1, "apply")["pending"]
    assert b"schedctl-unconfirmed" in lab1.vm.get("/root/timers")
    assert lab1.sh(TIMERS) == ""
    assert runs(lab1, "new")
    assert result(lab1) == ("new", "confirmed")
    assert lab1.schedctl("rollback")["changed"]
    assert runs(lab1, "old")


def test_the_daemon_counts_and_goes_on_when_it_is_killed(lab1: Guest) -> None:
    prepare(lab1)
    start(lab1)
    lab1.sh(KILLED_DAEMON)
    assert written(lab1, "apply")["pending"]
    assert lab1.vm.get("/root/timers") == b""
    assert written(lab1, "status")["profile"] == "new"
    assert runs(lab1, "edited")
    assert "unconfirmed" in events(lab1)
    assert lab1.status()["exit"] == 0
    lab1.sh("schedctl apply new --confirm-within 15s; schedctl confirm; sleep 16")
    assert runs(lab1, "new")
    assert result(lab1) == ("new", "confirmed")


def test_a_boot_after_a_freeze_attaches_nothing(lab1: Guest) -> None:
    """As it looks when the boot before has ended with the mark."""
    lab1.sh("schedctl detach; rm -f /run/schedctl/selected")
    mark = {
        "schedctl_trying": 1,
        "policy": "x",
        "profile": "desktop",
        "boot_id": "y",
        "boot_ns": 1,
        "at": "then",
    }
    lab1.vm.put("/var/lib/schedctl/trying", json.dumps(mark))
    lab1.sh("systemctl start schedctld")
    assert events(lab1) == ["held"]
    status = lab1.status()
    assert (status["exit"], status["owner"]) == (3, "none")
    assert lab1.schedctl("apply", "desktop")["exit"] == 0
    assert runs(lab1, "desktop")
    assert "held" not in lab1.sh("systemctl restart schedctld; systemctl show -P StatusText schedctld")
