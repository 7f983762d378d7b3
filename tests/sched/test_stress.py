# SPDX-License-Identifier: GPL-2.0-only
"""A minute of hostile load per order: nothing ejects the scheduler."""

from __future__ import annotations

import pytest

from tests.conftest import Guest

SECONDS = 60
CPU_TIME_NS = 2 * SECONDS * 1_000_000_000
BACKGROUND = 2
LOAD = f"""
set -e
end=$(($(cut -d. -f1 /proc/uptime) + {SECONDS}))
stress-ng --quiet --timeout {SECONDS}s --cpu 3 --fork 2 --switch 2 --schedmix 2 &
while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do
    hackbench -g 2 -l 100 > /dev/null
done
wait $!
"""
CLASSES = """
schedctl: 1
name: lab
policy: {{order: {order}}}
classes:
  urgent: {{match: [{{comm: "stress-ng-cpu*"}}], level: 6}}
  messages: {{match: [{{comm: hackbench}}], level: 3, deadline: 5ms}}
  forks: {{match: [{{comm: "stress-ng-fork*"}}], tier: background}}
"""


@pytest.mark.parametrize("order", ["edf", "fixed_priority"])
def test_a_minute_of_stress(lab: Guest, order: str) -> None:
    lab.apply(CLASSES.format(order=order))
    before = lab.status()
    lab.sh(LOAD, timeout=SECONDS * 4)
    after = lab.status()
    assert after["last_exit"] is None, after["last_exit"]
    assert (after["state"], after["enable_seq"]) == ("enabled", before["enable_seq"])
    for name in ("urgent", "messages"):
        assert after["classes"][name]["runs"] > 100, (name, after["classes"])
    # in time, not in runs: how long one lasts depends on how long the emulator stays with a CPU
    background_ns = after["counters"]["tier_ns"][BACKGROUND] - before["counters"]["tier_ns"][BACKGROUND]
    assert background_ns >= CPU_TIME_NS // 200, "half of the 1 % that the tier is guaranteed"
    assert after["counters"]["nr_no_context"] == 0
