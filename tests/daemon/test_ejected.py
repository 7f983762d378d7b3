# SPDX-License-Identifier: GPL-2.0-only
"""The kernel ends the scheduler, for real: what the daemon says and does, and what `status` shows.

The third way, SysRq-S, is in test_service.py.
"""

from __future__ import annotations

from typing import Any

from tests.conftest import Guest
from tests.daemon.test_service import eventually, journal, start
from tests.kernel.faulty import replaced

# See bpf/fault.bpf.h: one waits in no queue, the other is put into one that does not exist.
STALLS, WRONG_QUEUE = "fault-s", "fault-k"
LOAD_S = 60


def misbehave(guest: Guest, comm: str) -> None:
    guest.sh(f"setsid sh -c 'printf {comm} > /proc/$$/comm; sleep 0.2; :' > /dev/null 2>&1 &")


def ejected(guest: Guest, times: int) -> dict[str, Any]:
    """The journal's entry of that one, once it is there."""

    def entries() -> list[dict[str, Any]]:
        return [entry for entry in journal(guest) if entry["SCHEDCTL_EVENT"] == "ejected"]

    eventually(guest, lambda: len(entries()) == times, seconds=LOAD_S)
    entry = entries()[-1]
    print({key: str(value)[:160] for key, value in entry.items() if key.startswith(("SCHEDCTL", "MESS"))})
    return entry


def show_status(guest: Guest) -> str:
    result = guest.run("schedctl status")
    print(result.stdout, "exit", result.status)
    assert result.status == 3
    return result.stdout


def test_an_ejected_scheduler_comes_back_twice_and_not_for_ever(lab1: Guest) -> None:
    with replaced(lab1, "by-name"):
        start(lab1)
        before = lab1.status()["enable_seq"]
        misbehave(lab1, WRONG_QUEUE)
        entry = ejected(lab1, 1)
        assert (entry["SCHEDCTL_EXIT_KIND"], entry["SCHEDCTL_BLAME"]) == ("error", "policy")
        assert "non-existent DSQ" in entry["SCHEDCTL_EXIT_MSG"]
        assert (entry["SCHEDCTL_NEXT"], entry["SCHEDCTL_PROFILE"]) == ("retry", "edited")
        assert "SCHEDCTL_DUMP" in entry
        assert "fault-k" in lab1.sh("journalctl -a -u schedctld -o verbose SCHEDCTL_EVENT=ejected")
        eventually(lab1, lambda: lab1.status()["enable_seq"] == before + 1, seconds=LOAD_S)
        status = lab1.status()
        assert (status["exit"], status["profile"], status["ejections"]["count"]) == (0, "edited", 1)
        assert status["ejections"]["next"] is None

        misbehave(lab1, STALLS)
        entry = ejected(lab1, 2)
        assert entry["SCHEDCTL_EXIT_KIND"] == "error_stall"
        assert "fault-s" in entry["SCHEDCTL_EXIT_MSG"]
        assert "is attached again at" in show_status(lab1)
        eventually(lab1, lambda: lab1.status()["enable_seq"] == before + 2, seconds=LOAD_S)

        misbehave(lab1, WRONG_QUEUE)
        assert ejected(lab1, 3)["SCHEDCTL_NEXT"] == "hold"
        lab1.sh("systemctl restart schedctld; touch /etc/schedctl/profiles/edited.yaml; sleep 5")
        assert "nothing attaches again before `schedctl apply`" in show_status(lab1)
        assert lab1.status()["state"] == "disabled"
        lab1.sh("schedctl apply")
        status = lab1.status()
        assert (status["exit"], status["state"], status["ejections"]) == (0, "enabled", None)
