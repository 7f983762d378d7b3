# SPDX-License-Identifier: GPL-2.0-only
"""What comes back without a confirmation, on a real kernel with a real systemd, whoever is gone by then.

Where time is counted, on the machine whose idle time passes as ours does.
"""

from __future__ import annotations

import json

from tests.conftest import Guest
from tests.daemon.test_service import TWO, events, eventually, start

PROFILES = "/etc/schedctl/profiles"
# A terminal on which nobody types; --flush, or what it shows is in the file only when it has ended.
APPLY = "schedctl apply new --confirm-within 40s"
QUESTION = f"setsid sh -c \"sleep 1000 | script --flush -qc '{APPLY}' /root/terminal\""
TIMERS = "systemctl list-units --all --plain --no-legend 'schedctl-unconfirmed*'"


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


def test_the_old_policy_comes_back_though_the_command_was_killed(lab: Guest) -> None:
    """No daemon: a timer of systemd was armed before the kernel changed."""
    prepare(lab)
    assert lab.schedctl("apply", "old")["exit"] == 0
    lab.schedctl("plan", "new", "-o", "/root/a.plan")
    lab.sh(f"rm -f /root/terminal; {QUESTION} > /dev/null 2>&1 &")
    eventually(lab, lambda: runs(lab, "new"), 60)
    lab.sh("until grep -q 'keep it' /root/terminal; do sleep 0.2; done")
    stale = lab.schedctl("apply", "/root/a.plan")
    assert stale["exit"] == 75
    assert "classes.first.level: 6 -> 5" in stale["problems"][0]["message"]
    lab.sh("pkill -KILL -f '[a]pply new'; pkill -x sleep; while pgrep -f '[a]pply new'; do sleep 0.2; done")
    eventually(lab, lambda: runs(lab, "old"), 120)
    assert result(lab) == ("new", "unconfirmed")
    assert lab.schedctl("confirm")["exit"] in (0, 75)
    # a real command from another terminal
    assert lab.schedctl("apply", "new", "--confirm-within", "60s")["pending"]
    assert "schedctl-unconfirmed" in lab.sh(TIMERS)
    lab.sh("schedctl confirm")
    assert lab.sh(TIMERS) == ""
    assert runs(lab, "new")
    assert result(lab) == ("new", "confirmed")
    assert lab.schedctl("rollback")["changed"]
    assert runs(lab, "old")


def test_the_daemon_counts_and_goes_on_when_it_is_killed(lab: Guest) -> None:
    prepare(lab)
    start(lab)
    assert lab.schedctl("apply", "new", "--confirm-within", "30s")["pending"]
    assert lab.sh(TIMERS) == ""
    lab.sh("systemctl kill -s KILL schedctld")
    assert runs(lab, "new")
    eventually(lab, lambda: runs(lab, "edited"), 120)
    assert "unconfirmed" in events(lab)
    assert lab.status()["exit"] == 0
    lab.schedctl("apply", "new", "--confirm-within", "15s")
    assert lab.schedctl("confirm")["exit"] == 0
    lab.sh("sleep 16")
    assert runs(lab, "new")
    assert result(lab) == ("new", "confirmed")


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
