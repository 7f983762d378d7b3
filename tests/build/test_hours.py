# SPDX-License-Identifier: GPL-2.0-only
"""README's first hours of a desktop and of a server, typed on a terminal of a real machine, in order.

The machine has the package, and keeps it: what apt does is in test_package.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.hours import commands, first_hour
from tests.conftest import Guest

APT = "apt "
# `plan`: changes are pending; `analyze`: not known of every class. All else succeeds.
STATUS = {"plan": 2, "analyze": 4}


def typed(guest: Guest, who: str, environment: str = "") -> dict[str, str]:
    """What each command has shown, by the command without its comment."""
    lines = [command for command in commands(first_hour(who)) if not command.startswith(APT)]
    guest.vm.put("/root/typed.py", Path(__file__).with_name("typed.py"))
    guest.vm.put("/root/typed.json", json.dumps(lines))
    try:
        results = json.loads(guest.sh(f"{environment} python3 typed.py < typed.json", timeout=600))
    finally:
        guest.sh("systemctl enable schedctld")  # as the machine had it
    said = {}
    for command, (status, shown) in zip(lines, results, strict=True):
        print(f"# {command}\n{shown}")
        words = command.split()
        assert status == (STATUS.get(words[1], 0) if words[0] == "schedctl" else 0), (command, status)
        said[re.sub(r" +# .*", "", command)] = shown
    return said


def test_the_first_hour_of_a_desktop(lab: Guest) -> None:
    lab.sh("schedctl detach")
    said = typed(lab, "desktop")
    assert "confirmed: profile desktop stays" in said["schedctl apply desktop --confirm-within 60s"]
    assert "profile    desktop, generation 1" in said["schedctl status"]
    assert "class default, fair tier, by profile desktop" in said["schedctl explain $$"]
    changed = said["schedctl apply desktop --diff"]
    assert '+ rules[3]: comm "make" is builds' in changed
    assert "+ classes.synth: tier realtime, level 6, period 2666666ns" in changed
    assert "rolled back to number 1: profile desktop" in said["schedctl rollback"]
    assert "schedctl.yaml names it from now on" in said["schedctl apply --persist desktop"]
    assert "~ classes.synth.level: 6 -> 5" in said["journalctl -xt schedctld"]
    assert "Subject: The scheduling policy was changed" in said["journalctl -xt schedctld"]
    assert "the kernel's own scheduler runs" in said["schedctl detach"]
    assert lab.status()["state"] == "disabled"


@pytest.fixture
def server(lab: Guest) -> Iterator[Guest]:
    """With a service that does something now and then, and nothing attached."""
    lab.sh("schedctl detach; systemd-run --quiet --unit=api sh -c 'while sleep 1; do :; done'")
    yield lab
    lab.sh("systemctl stop api; rm -f api.plan status.json")


def test_the_first_hour_of_a_server(server: Guest) -> None:
    said = typed(server, "server", "SSH_CONNECTION='192.0.2.1 1024 192.0.2.2 22'")
    assert re.search(r" sh +api.service ", said["schedctl match unit=api.service"])
    assert "proven: api[1], api[2]; not known for level 4 and below" in said["schedctl analyze api"]
    assert "confirmed: profile api stays" in said["schedctl apply ./api.plan"]
    explained = said['schedctl explain "$(systemctl show -P MainPID api.service)"']
    assert "class api, level 5, by profile api" in explained
    status = json.loads(server.vm.get("/root/status.json"))
    assert status["profile"] == "api"
    assert status["classes"]["api"]["threads"] > 0
    assert re.search(r" api +\w+ +confirmed ", said["schedctl history"])
    assert "rolled back to number 1: profile api" in said["schedctl rollback"]
    assert re.search(r"^api +5 ", said["schedctl status"], re.MULTILINE)
    assert "~ classes.api.level: 5 -> 6" in said["journalctl -u schedctld"]
