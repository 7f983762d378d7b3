# SPDX-License-Identifier: GPL-2.0-only
"""What fifteen thousand match items cost where it hurts most: every fork and every exec classifies anew."""

from __future__ import annotations

from fractions import Fraction

from tests.conftest import Guest
from tests.profile.big import big_profile

FEW = "schedctl: 1\nname: few\nclasses:\n  c:\n    level: 3\n    match:\n" + "".join(
    f"      - {{comm: few-{i}}}\n" for i in range(10)
)


def forks(guest: Guest) -> int:
    """Fork and exec in two seconds of guest time, of a shell in the fair tier."""
    return int(guest.sh("cd /root && ./forks 2"))


def test_forks_with_many_rules(lab1: Guest) -> None:
    lab1.apply(FEW)
    few = [forks(lab1) for _ in range(3)]
    lab1.apply(big_profile())
    before = lab1.status()["counters"]["nr_classified"]
    many = [forks(lab1) for _ in range(3)]
    assert lab1.status()["counters"]["nr_classified"] - before >= 2 * sum(many), "each fork, and each exec"
    assert Fraction(sorted(many)[1], sorted(few)[1]) >= Fraction(9, 10), (few, many)
