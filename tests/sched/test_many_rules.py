# SPDX-License-Identifier: GPL-2.0-only
"""What fifteen thousand match items cost where it hurts most: every fork and every exec classifies anew."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from schedctl.image.abi import encode
from schedctl.profile import load_profile
from schedctl.reconcile import desired_image
from tests.conftest import Guest
from tests.profile.big import big_profile

FEW = "schedctl: 1\nname: few\nclasses:\n  c:\n    level: 3\n    match:\n" + "".join(
    f"      - {{comm: few-{i}}}\n" for i in range(10)
)
# An emulated machine takes two minutes to read so much YAML: here it gets the bytes.
WRITE = """
from pathlib import Path
from schedctl.kernel.real import RealKernel
kernel, policy = RealKernel(), Path("/root/policy").read_bytes()
kernel.write_policy(1, policy)
kernel.flip(1)
"""


def forks(guest: Guest) -> int:
    """Fork and exec in a second of guest time, of a shell in the fair tier."""
    return int(guest.sh("cd /root && ./forks 1"))


def test_forks_with_many_rules(lab1: Guest, tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_text(big_profile())
    lab1.sh("schedctl detach")
    assert lab1.apply(FEW)["generation"] == 1
    few = [forks(lab1) for _ in range(3)]
    before = lab1.status()["counters"]["nr_classified"]
    done = forks(lab1)
    assert lab1.status()["counters"]["nr_classified"] - before >= 2 * done, "each fork, and each exec"
    lab1.vm.put("/root/policy", encode(desired_image(load_profile(tmp_path / "big.yaml")), 1, 2, seed=7))
    lab1.vm.put("/root/write.py", WRITE)
    lab1.sh("python3 /root/write.py")
    many = [forks(lab1) for _ in range(3)]
    assert Fraction(sorted(many)[1], sorted(few)[1]) >= Fraction(9, 10), (few, many)
    print(few, many)
