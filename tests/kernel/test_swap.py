# SPDX-License-Identifier: GPL-2.0-only
"""Another object is installed while one runs, as an upgrade does: on the real kernel, under load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Guest
from tests.kernel import swapped
from tests.kernel.faulty import replaced

PROFILE = """schedctl: 1
name: swapped
classes:
  sleeper: {match: [{comm: sleeper}], level: 6}
  budget: {match: [{comm: budget}], level: 4, period: 100ms, runtime: 5ms, deadline: 100ms}
"""
SCRIPT = "/root/swapped.py"
OLD_SLACK, CLASS_SLACK = 50_000, 1


@contextmanager
def under_load(guest: Guest) -> Iterator[None]:
    guest.vm.put(SCRIPT, Path(swapped.__file__))
    guest.sh(f"setsid python3 {SCRIPT} > /dev/null 2>&1 & sleep 2")
    try:
        yield
    finally:
        guest.sh("pkill -KILL -f [s]wapped.py")


def counts(guest: Guest) -> dict[str, int]:
    status = guest.status()
    classes = status["classes"]
    return {
        "sleeper": classes["sleeper"]["wakeups"],
        "throttled": classes["budget"]["throttled"],
        "classified": status["counters"]["nr_classified"],
        "seq": status["enable_seq"],
        "generation": status["generation"],
    }


def test_an_upgrade_keeps_policy_and_figures(lab: Guest) -> None:
    lab.apply(PROFILE)
    with under_load(lab), replaced(lab, "other"):
        before = counts(lab)
        plan = lab.schedctl("plan", "-", stdin="/root/profile")
        assert (plan["exit"], plan["plan"]["actions"], plan["plan"]["changes"]) == (2, ["swap"], [])
        said = lab.run("schedctl apply - < /root/profile")
        assert said.status == 0, said.stderr
        print(said.stderr, said.stdout)
        found = re.search(
            r"nothing of ours ran for ([\d.]+) ms, the longest fork took ([\d.]+) ms", said.stderr
        )
        assert found, said.stderr
        assert float(found[1]) > 0
        assert "in bypass" in said.stderr
        lab.sh("sleep 1")
        after = counts(lab)
        assert after["generation"] == before["generation"]
        assert after["seq"] == before["seq"] + 1
        for key in ("sleeper", "throttled", "classified"):
            assert after[key] > before[key] > 0, (key, before, after)
        again = lab.schedctl("apply", "-", stdin="/root/profile")
        assert again["changed"] is False, "the same object is adopted"
        assert lab.sh("ls /sys/fs/bpf").split() == ["schedctl"]


def test_a_broken_object_leaves_the_old_one(lab: Guest) -> None:
    """The verifier has let it pass, so the old one is gone by then."""
    lab.apply(PROFILE)
    with under_load(lab), replaced(lab, "init"):
        before = counts(lab)
        result = lab.schedctl("apply", "-", stdin="/root/profile")
        assert result["exit"] == 1
        assert "the kernel ended the scheduler at once" in result["problems"][0]["message"]
        print(result["problems"][0]["message"])
        lab.sh("sleep 1")
        after = counts(lab)
        for key in ("sleeper", "throttled"):
            assert after[key] > before[key], "it schedules again, budgets and all"
        assert after["generation"] == before["generation"]
        assert lab.sh("ls /sys/fs/bpf").split() == ["schedctl"]
        assert lab.status()["last_exit"] is None


def test_another_layout_is_dropped_with_a_sentence_and_slack_is_given_back(lab: Guest) -> None:
    lab.apply(PROFILE)
    identity = "/sys/fs/bpf/schedctl/maps/identity"
    with under_load(lab), replaced(lab, "other"):
        pid = lab.sh("pgrep -x sleeper").strip()
        # as the daemon would have done
        lab.sh(f"echo {CLASS_SLACK} > /proc/{pid}/timerslack_ns")
        found = lab.sh(
            f"bpftool -j map lookup pinned {identity} key 0 0 0 0 | python3 -c 'import json, sys;"
            ' print(*json.load(sys.stdin)["value"])\''
        ).split()
        changed = " ".join(["0x03", *found[1:4], "0x63", *found[5:]])  # layouts of another time
        lab.sh(f"bpftool map update pinned {identity} key hex 00 00 00 00 value {changed}")
        said = lab.run("schedctl apply - < /root/profile")
        assert said.status == 0, said.stderr
        assert "statistics begin anew" in said.stderr
        assert "measured periods begin anew" in said.stderr
        assert int(lab.sh(f"cat /proc/{pid}/timerslack_ns")) == OLD_SLACK
        assert lab.status()["generation"] == 1
