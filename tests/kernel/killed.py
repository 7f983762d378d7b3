# SPDX-License-Identifier: GPL-2.0-only
"""A process killed at any of its calls of libbpf leaves the old policy or the new one. Runs in the guest.

Prints one line per kill: what was to be called next, and what ran afterwards.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from fractions import Fraction

from schedctl.image.model import ImageClass, PolicyImage
from schedctl.kernel import libbpf
from schedctl.kernel.real import RealKernel
from schedctl.observe import Owner, observe
from schedctl.profile.model import Order, Tier
from schedctl.reconcile import reconcile

DEFAULT = ImageClass("default", Tier.FAIR, 0, 0, 0, 100)
OLD = PolicyImage("old", Order.EDF, Fraction(1, 10), (DEFAULT,), ())
NEW = PolicyImage("new", Order.FIXED_PRIORITY, Fraction(1, 5), (DEFAULT,), ())
SETTLE_S = 20


class Counting:
    """libbpf, which ends this process instead of making call number `last`."""

    def __init__(self, last: int = -1) -> None:
        self._real, self._last = libbpf.library(), last
        self.names: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            if len(self.names) == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
            self.names.append(name)
            return getattr(self._real, name)(*arguments)

        return call


def calls(change: Callable[[], object]) -> list[str]:
    """The names of libbpf's functions in the order in which `change` calls them."""
    counting, real = Counting(), libbpf.library
    libbpf.library = lambda: counting  # type: ignore[assignment]
    change()
    libbpf.library = real
    return counting.names


def kill_at(number: int, change: Callable[[], object]) -> None:
    child = os.fork()
    if child == 0:
        counting = Counting(number)
        libbpf.library = lambda: counting  # type: ignore[assignment]
        change()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def around(names: list[str], writes: tuple[str, ...]) -> list[int]:
    """Before and behind the first and the last call of each of these functions."""
    found: set[int] = set()
    for write in writes:
        places = [number for number, name in enumerate(names) if name == write]
        found |= {places[0], places[0] + 1, places[-1], places[-1] + 1}
    return sorted(number for number in found if number < len(names))


def settled(kernel: RealKernel) -> str:
    """What runs once the kernel has closed what the killed process held."""
    deadline = time.monotonic() + SETTLE_S
    while (observation := observe(kernel)).owner is Owner.OTHER:
        assert time.monotonic() < deadline, observation
        time.sleep(0.1)
    if observation.owner is Owner.NONE:
        return "none"
    assert observation.image is not None
    return observation.image.profile


def kill_around(
    change: str, start: Callable[[RealKernel], object], writes: tuple[str, ...], allowed: set[str]
) -> None:
    """Kill a reconcile to NEW at its writes; afterwards the same reconcile goes through."""
    kernel = RealKernel()
    start(kernel)
    names = calls(lambda: reconcile(kernel, NEW))
    for number in around(names, writes):
        start(kernel)
        kill_at(number, lambda: reconcile(kernel, NEW))
        found = settled(kernel)
        print(change, names[number], found, flush=True)
        assert found in allowed
        assert reconcile(kernel, NEW).observation.image == NEW


def main() -> None:
    kill_around(
        "attach",
        lambda kernel: kernel.detach(),
        ("bpf_map__attach_struct_ops", "bpf_obj_pin"),
        {"none", "new"},
    )
    kill_around("change", lambda kernel: reconcile(kernel, OLD), ("bpf_map_update_elem",), {"old", "new"})
    RealKernel().detach()


if __name__ == "__main__":
    main()
