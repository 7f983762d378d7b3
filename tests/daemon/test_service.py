# SPDX-License-Identifier: GPL-2.0-only
"""schedctld as a systemd service: edits go live, bad ones do not, and it never fights a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.conftest import CONFIGS, Guest, Lab
from tests.proof import proof
from tests.sched.measure import finish_order

EDITED = "/etc/schedctl/profiles/edited.yaml"
TWO = """schedctl: 1
name: edited
classes:
  first: {match: [{comm: job-a}], level: 6}
  second: {match: [{comm: job-b}], level: 3}
"""


def journal(guest: Guest) -> list[dict[str, Any]]:
    """The daemon's entries since the last start of the unit, oldest first."""
    lines = guest.sh(
        "journalctl --sync; journalctl -q -o json -u schedctld"
        " _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID schedctld)"
    )
    return [entry for entry in map(json.loads, lines.splitlines()) if "SCHEDCTL_EVENT" in entry]


def eventually(guest: Guest, true: Callable[[], bool], seconds: int = 15) -> None:
    for _ in range(seconds * 4):
        if true():
            return
        guest.sh("sleep 0.25")
    raise AssertionError([entry["MESSAGE"] for entry in journal(guest)][-5:])


def events(guest: Guest) -> list[str]:
    return [entry["SCHEDCTL_EVENT"] for entry in journal(guest)]


def start(guest: Guest, profile: str = TWO) -> int:
    """The daemon with `edited` as the standing choice; the generation that runs."""
    guest.sh("mkdir -p /etc/schedctl/profiles; echo 'profile: edited' > /etc/schedctl/schedctl.yaml")
    guest.vm.put(EDITED, profile)
    guest.sh("systemctl start schedctld")
    status = guest.status()
    assert status["profile"] == "edited", "READY came before the first reconcile had ended"
    return int(status["generation"])


def test_a_good_edit_goes_live_and_a_bad_one_does_not(lab1: Guest) -> None:
    generation = start(lab1)
    assert finish_order(lab1, "job-b job-a") == ["job-a", "job-b"]
    lab1.sh(f"sed -i 's/level: 6/level: 2/' {EDITED}")
    eventually(lab1, lambda: lab1.status()["generation"] == generation + 1)
    assert finish_order(lab1, "job-a job-b") == ["job-b", "job-a"]

    lab1.sh(f"sed -i 's/level: 2/level: 22/; s/job-b/a-name-of-16-byte/' {EDITED}")
    eventually(lab1, lambda: events(lab1)[-1] == "rejected")
    entry = journal(lab1)[-1]
    assert (entry["SCHEDCTL_FILE"], entry["SCHEDCTL_LINE"], entry["PRIORITY"]) == (EDITED, "4", "3")
    assert f"{EDITED}:4:42: error: 22 is out of range" in entry["MESSAGE"]
    assert f"{EDITED}:5:" in entry["MESSAGE"], "all problems at once"
    assert "22 is out of range" not in lab1.sh("systemctl show -P StatusText schedctld").splitlines()[1:]
    status = lab1.status()
    assert (status["generation"], status["exit"], status["drift"]) == (generation + 1, 3, None)
    assert finish_order(lab1, "job-a job-b") == ["job-b", "job-a"]

    lab1.vm.put(EDITED, TWO)
    eventually(lab1, lambda: lab1.status()["generation"] == generation + 2)
    assert lab1.status()["exit"] == 0


def test_kill_9_leaves_it_attached_and_the_next_start_adopts_it(lab1: Guest) -> None:
    start(lab1)
    before = lab1.status()
    lab1.sh("systemctl kill -s KILL schedctld; sleep 0.5")
    assert lab1.status()["state"] == "enabled"
    eventually(lab1, lambda: lab1.run("systemctl is-active schedctld").status == 0)
    after = lab1.status()
    assert [after[key] for key in ("enable_seq", "generation", "exit")] == [
        before[key] for key in ("enable_seq", "generation", "exit")
    ]
    entries = journal(lab1)
    assert [(e["SCHEDCTL_EVENT"], e["SCHEDCTL_CHANGES"]) for e in entries] == [("unchanged", "0")]


def test_a_stop_and_a_reload_change_nothing(lab1: Guest) -> None:
    generation = start(lab1)
    lab1.sh("systemctl reload schedctld")
    lab1.sh("systemctl stop schedctld")
    status = lab1.status()
    assert (status["state"], status["generation"]) == ("enabled", generation)


def test_apply_beside_the_daemon_is_one_change(lab1: Guest) -> None:
    generation = start(lab1)
    lab1.sh("schedctl apply two-classes; sleep 3")
    assert lab1.status()["generation"] == generation + 1
    assert lab1.sh("cat /run/schedctl/selected").strip() == "two-classes"
    last = journal(lab1)[-1]
    assert (last["SCHEDCTL_EVENT"], last["SCHEDCTL_PROFILE"]) == ("unchanged", "two-classes")
    assert lab1.schedctl("apply", "two-classes")["changed"] is False


def test_detach_is_obeyed_until_the_next_apply(lab1: Guest) -> None:
    start(lab1)
    lab1.sh("schedctl detach; sleep 30")
    status = lab1.status()
    assert (status["state"], status["selected"]["choice"], status["exit"]) == ("disabled", "none", 0)
    lab1.sh(f"systemctl restart schedctld; sleep 2; touch {EDITED}; sleep 2")
    assert lab1.status()["state"] == "disabled"
    lab1.sh("schedctl apply")
    assert lab1.status()["profile"] == "edited"


def test_sysrq_s_is_obeyed_until_the_next_apply(lab1: Guest) -> None:
    start(lab1)
    lab1.sh("echo S > /proc/sysrq-trigger; sleep 30")
    status = lab1.status()
    assert (status["state"], status["ejected"], status["exit"]) == ("disabled", True, 3)
    assert status["last_exit"]["kind"] == "sysrq"
    last = journal(lab1)[-1]
    said = [last.get(f"SCHEDCTL_{key}") for key in ("EVENT", "EXIT_KIND", "BLAME", "NEXT")]
    assert said == ["ejected", "sysrq", "person", "hold"]
    lab1.sh(f"sed -i 's/level: 6/level: 2/' {EDITED}; sleep 2; systemctl restart schedctld; sleep 2")
    assert lab1.status()["state"] == "disabled"
    lab1.sh("schedctl apply")
    status = lab1.status()
    assert (status["state"], status["profile"], status["ejected"]) == ("enabled", "edited", False)


def test_the_kernel_command_line_turns_it_off(no_machine: Lab) -> None:
    with no_machine.one_boot(CONFIGS["lab1"], append="schedctl=off") as guest:
        guest.sh("sleep 30")
        assert guest.status()["state"] == "disabled"
        assert guest.sh("systemctl show -P ConditionResult schedctld").strip() == "no"
        result = guest.schedctl("apply", "two-classes")
        assert result["exit"] == 69
        assert "schedctl=off" in result["problems"][0]["message"]
        assert guest.status()["state"] == "disabled"


def _daemon(guest: Guest, value: str) -> None:
    start(guest)
    guest.sh(f"systemctl {value} schedctld")


@proof(knob="schedctld.service", setup=_daemon, on="start", off="stop", counter="generation")
def test_hot_reload(guest: Guest) -> None:
    """An edit reaches the running scheduler without a restart"""
    before = guest.status()["enable_seq"]
    guest.sh(f"sed -i 's/level: 6/level: 2/' {EDITED}; sleep 4")
    assert finish_order(guest, "job-a job-b") == ["job-b", "job-a"]
    assert guest.status()["enable_seq"] == before
