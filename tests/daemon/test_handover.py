# SPDX-License-Identifier: GPL-2.0-only
"""Commands, plain users and the journal beside the real daemon, on a real kernel and a real systemd."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.conftest import Guest
from tests.daemon.test_service import events, eventually, journal, start

ROOT = Path(__file__).resolve().parents[2]
CATALOG = "units/schedctl.catalog"
# The service manager would end a daemon that hangs after 30 s, which a busy host's guest has soon had.
PATIENT = "/run/systemd/system/schedctld.service.d/patient.conf"
AS_PLAIN = "cd /tmp && setpriv --reuid 1000 --regid 1000 --clear-groups schedctl"


def plain_status(guest: Guest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(guest.run(f"{AS_PLAIN} status --json").stdout)
    return found


def test_a_command_hands_over_and_the_journal_explains(lab1: Guest) -> None:
    generation = start(lab1)
    result = lab1.schedctl("apply", "two-classes")
    assert (result["exit"], result["generation"]) == (0, generation + 1)
    (entry,) = [entry for entry in journal(lab1) if entry["SCHEDCTL_EVENT"] == "request"]
    assert [entry[f"SCHEDCTL_{key}"] for key in ("VERB", "UID", "EXIT_CODE", "PROFILE")] == [
        *("apply", "0", "0", "two-classes")
    ]
    assert lab1.schedctl("apply", "two-classes")["changed"] is False
    assert lab1.schedctl("apply", "not-there")["exit"] == 66
    lab1.vm.put("/usr/lib/systemd/catalog/schedctl.catalog", (ROOT / CATALOG).read_text())
    lab1.sh("journalctl --update-catalog")
    explained = lab1.sh("journalctl -x -u schedctld SCHEDCTL_EVENT=applied -n 1 --no-pager")
    assert "Subject: The scheduling policy was changed" in explained
    assert "The kernel runs profile edited now, as generation" in explained
    last = lab1.status()["last_events"]
    assert "request" in [event["event"] for event in last]
    assert all(event["message"] for event in last), "root is told everything"


def test_status_of_a_plain_user_with_and_without_the_daemon(lab1: Guest) -> None:
    generation = start(lab1)
    found = plain_status(lab1)
    assert (found["exit"], found["drift"], found["generation"]) == (0, False, generation)
    assert set(found["classes"]) == {"default", "first", "second"}
    assert found["classes"]["default"]["runs"] > 0
    assert found["counters"]["nr_events_dropped"] == 0
    assert [event["message"] for event in found["last_events"]] == [None] * len(found["last_events"])
    text = lab1.run(f"{AS_PLAIN} status").stdout
    assert "\nfirst " in text
    assert "The scheduling policy" in text
    lab1.sh("systemctl stop schedctld")
    found = plain_status(lab1)
    assert (found["owner"], found["classes"], found["drift"]) == ("schedctl", {}, None)
    assert "can be read by root only" in lab1.run(f"{AS_PLAIN} status").stdout


def test_a_daemon_that_hangs_hangs_no_command(lab1: Guest) -> None:
    lab1.sh(f"mkdir -p {Path(PATIENT).parent}")
    lab1.vm.put(PATIENT, "[Service]\nWatchdogSec=0\n")
    lab1.sh("systemctl daemon-reload")
    start(lab1)
    lab1.sh("systemctl kill -s STOP schedctld")
    try:
        begin = time.monotonic()
        result = lab1.schedctl("apply", "two-classes")
        assert result["exit"] == 75
        assert "no sign of life in 10 s" in result["problems"][0]["message"]
        assert time.monotonic() - begin < 60, "the emulator's seconds are longer"
        assert lab1.status()["profile"] == "edited"
        result = lab1.schedctl("detach")
        assert (result["exit"], result["state"]) == (0, "disabled")
        assert result["problems"][0]["severity"] == "warning"
    finally:
        lab1.sh(f"systemctl kill -s CONT schedctld; rm {PATIENT}; systemctl daemon-reload")
    eventually(lab1, lambda: events(lab1)[-1] == "idle")
    assert lab1.status()["state"] == "disabled"
