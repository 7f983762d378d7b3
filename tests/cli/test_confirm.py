# SPDX-License-Identifier: GPL-2.0-only
"""What comes back without a confirmation, on a real kernel with a real systemd, whoever is gone by then."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Guest
from tests.daemon.test_service import TWO, events, eventually, start

PROFILES = "/etc/schedctl/profiles"
# A terminal on which nobody types.
QUESTION = "setsid sh -c \"sleep 1000 | script -qc 'schedctl apply new --confirm-within 40s' /root/terminal\""


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


@pytest.mark.skip(reason="here the plan is not stale when it is applied: not understood yet")
def test_the_old_policy_comes_back_though_the_command_was_killed(lab1: Guest) -> None:
    """No daemon: a timer of systemd was armed before the kernel changed."""
    prepare(lab1)
    assert lab1.schedctl("apply", "old")["exit"] == 0
    lab1.schedctl("plan", "new", "-o", "/root/a.plan")
    lab1.sh(f"{QUESTION} > /dev/null 2>&1 &")
    eventually(lab1, lambda: runs(lab1, "new"), 60)
    lab1.sh("until grep -q 'keep it' /root/terminal; do sleep 0.2; done")
    stale = lab1.schedctl("apply", "/root/a.plan")
    assert stale["exit"] == 75
    assert "classes.first.level: 6 -> 5" in stale["problems"][0]["message"]
    lab1.sh("pkill -KILL -f '[a]pply new'; pkill -x sleep; true")
    eventually(lab1, lambda: runs(lab1, "old"), 120)
    assert result(lab1) == ("new", "unconfirmed")
    assert lab1.schedctl("confirm")["exit"] in (0, 75)
    # a real command from another terminal
    assert lab1.schedctl("apply", "new", "--confirm-within", "20s")["pending"]
    lab1.sh("schedctl confirm; sleep 25")
    assert runs(lab1, "new")
    assert result(lab1) == ("new", "confirmed")
    assert lab1.schedctl("rollback")["changed"]
    assert runs(lab1, "old")
    assert lab1.sh("systemctl list-units --all --plain --no-legend 'schedctl-unconfirmed*'") == ""


def test_the_daemon_counts_and_goes_on_when_it_is_killed(lab1: Guest) -> None:
    prepare(lab1)
    start(lab1)
    assert lab1.schedctl("apply", "new", "--confirm-within", "20s")["pending"]
    assert lab1.sh("systemctl list-timers --all --plain --no-legend 'schedctl-unconfirmed*'") == ""
    lab1.sh("systemctl kill -s KILL schedctld")
    assert runs(lab1, "new")
    eventually(lab1, lambda: runs(lab1, "edited"), 60)
    assert "unconfirmed" in events(lab1)
    assert lab1.status()["exit"] == 0
    lab1.schedctl("apply", "new", "--confirm-within", "5s")
    assert lab1.schedctl("confirm")["exit"] == 0
    lab1.sh("sleep 10")
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
