# SPDX-License-Identifier: GPL-2.0-only
"""`schedctl run` as a plain user, with a real systemd and no daemon of ours."""

from __future__ import annotations

from tests.conftest import Guest

PROFILE = """
schedctl: 1
name: lab
policy: {{realtime_users: [{user}]}}
classes:
  game: {{match: [{{comm: no-thread}}], level: 5}}
"""
NAPS = "for i in 1 2 3 4 5; do sleep 0.01; done; cat /proc/self/cgroup; exit 7"


def run(guest: Guest, class_name: str) -> tuple[int, str, str]:
    """As the user `player`: the exit status, and what the command wrote."""
    guest.sh(
        "id player 2>/dev/null || useradd -m player; loginctl enable-linger player;"
        " systemctl start user@$(id -u player).service"
    )
    guest.vm.put("/home/player/naps", NAPS)
    command = f"XDG_RUNTIME_DIR=/run/user/$(id -u) schedctl run {class_name} -- sh /home/player/naps"
    result = guest.run(f"su player -c '{command}'")
    return result.status, result.stdout, result.stderr


def test_a_plain_user_runs_a_command_in_a_class(lab1: Guest) -> None:
    lab1.apply(PROFILE.format(user="root"))
    held = run(lab1, "game")
    status = lab1.status()
    assert status["classes"]["game"]["runs"] == 0
    assert status["counters"]["nr_held_back"] > 0

    lab1.apply(PROFILE.format(user="root, player"))
    lifted = run(lab1, "game")
    assert lab1.status()["classes"]["game"]["wakeups"] >= 5

    for code, out, _ in (held, lifted):
        assert code == 7
        assert "/user@" in out
        assert "/schedctl-run-game-" in out

    code, out, err = run(lab1, "gaem")
    assert (code, out) == (66, "")
    assert "did you mean 'game'?" in err
