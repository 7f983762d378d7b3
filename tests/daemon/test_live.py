# SPDX-License-Identifier: GPL-2.0-only
"""schedctld on a real machine: edits that inotify loses, a farm of links, and who sits at the machine."""

from __future__ import annotations

from tests.conftest import Guest
from tests.daemon.test_service import EDITED, TWO, eventually, start

SEAT = "schedctl-test-seat"


def test_an_edit_that_inotify_lost(lab1: Guest) -> None:
    """The queue is full of what does not count when the edit comes; the daemon finds it at its next tick."""
    lab1.sh("sysctl -q fs.inotify.max_queued_events=4")
    try:
        generation = start(lab1)
        lab1.sh(
            "cd /etc/schedctl/profiles; systemctl kill -s STOP schedctld;"
            " for i in $(seq 20); do : > filler$i; done;"
            f" sed -i 's/level: 6/level: 2/' {EDITED}; rm filler*; systemctl kill -s CONT schedctld"
        )
        eventually(lab1, lambda: lab1.status()["generation"] == generation + 1, seconds=40)
        lab1.sh(f"sed -i 's/level: 2/level: 4/' {EDITED}")
        eventually(lab1, lambda: lab1.status()["generation"] == generation + 2)
    finally:
        lab1.sh("sysctl -q fs.inotify.max_queued_events=16384")


def test_a_farm_of_links_of_a_trusted_owner(lab1: Guest) -> None:
    """As stow makes it in a home folder: refused until a person says whose files are as good as root's."""
    lab1.sh("id farmer 2>/dev/null || useradd -m farmer")
    lab1.sh("mkdir -p /home/farmer/dotfiles /etc/schedctl/profiles; rm -f " + EDITED)
    lab1.vm.put("/home/farmer/dotfiles/edited.yaml", TWO)
    lab1.sh(f"chown -R farmer: /home/farmer; ln -s /home/farmer/dotfiles/edited.yaml {EDITED}")
    result = lab1.schedctl("apply", "edited")
    assert result["exit"] == 65
    assert "farmer" in result["problems"][0]["message"]
    assert "trusted_owners" in result["problems"][0]["hint"]
    lab1.sh("printf 'profile: edited\\ntrusted_owners: [farmer]\\n' > /etc/schedctl/schedctl.yaml")
    lab1.sh("systemctl start schedctld")
    generation = lab1.status()["generation"]
    lab1.sh("su farmer -c \"sed -i 's/level: 6/level: 2/' /home/farmer/dotfiles/edited.yaml\"")
    eventually(lab1, lambda: lab1.status()["generation"] == generation + 1)
    lab1.sh(f"rm {EDITED}")


def test_who_sits_at_the_machine(lab1: Guest) -> None:
    lab1.sh("id sitter 2>/dev/null || useradd -m sitter")
    uid = int(lab1.sh("id -u sitter"))
    start(lab1, TWO.replace("classes:", "policy: {realtime_users: [active-seat]}\nclasses:"))

    def lifted() -> bool:
        return uid in lab1.schedctl("show", "--live")["image"].get("realtime_uids", [])

    assert not lifted()
    lab1.sh(
        f"systemd-run -q --unit={SEAT} -p PAMName=login -p TTYPath=/dev/tty1 -p StandardInput=tty"
        " -p User=sitter sleep 1000"
    )
    try:
        eventually(lab1, lifted)
    finally:
        lab1.sh(f"systemctl stop {SEAT}")
    eventually(lab1, lambda: not lifted())
