# SPDX-License-Identifier: GPL-2.0-only
"""Other objects than the installed one in the guest: `make faulty` builds them, see bpf/fault.bpf.h."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import Guest

BUILT = Path(__file__).parents[2] / "build" / "faulty"
INSTALLED = "/usr/lib/schedctl/bpf/main.bpf.o"
GOOD = "/root/good.bpf.o"


def install(guest: Guest, name: str) -> None:
    """As an upgrade of the package does: the file takes its place at once."""
    path = BUILT / name / "main.bpf.o"
    assert path.exists(), "run `make faulty` first"
    guest.vm.put(f"{INSTALLED}.new", path)
    guest.sh(f"mv {INSTALLED}.new {INSTALLED}")


def reinstall(guest: Guest) -> None:
    guest.sh(f"cp {GOOD} {INSTALLED}.new && mv {INSTALLED}.new {INSTALLED}")


@contextmanager
def replaced(guest: Guest, name: str) -> Iterator[None]:
    """While it lasts another object is installed; afterwards nothing is attached."""
    guest.sh(f"test -e {GOOD} || cp {INSTALLED} {GOOD}")
    install(guest, name)
    try:
        yield
    finally:
        reinstall(guest)
        guest.sh("systemctl stop schedctld; systemctl reset-failed schedctld; schedctl detach || true")
