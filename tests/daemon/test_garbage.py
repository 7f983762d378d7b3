# SPDX-License-Identifier: GPL-2.0-only
"""When the daemon looks for garbage: when an edit is done, not while it is waited for."""

from __future__ import annotations

import gc
from weakref import ref

from schedctl.daemon.triggers import Trigger
from tests.daemon.world import World, edit
from tests.daemon.world import world as world

__all__ = ["world"]


def test_garbage_is_looked_for_after_an_edit(world: World) -> None:
    class Garbage:
        """Refers to itself: only a collection ends it."""

        def __init__(self) -> None:
            self.myself = self

    def drop() -> Trigger:
        dropped.append(ref(Garbage()))
        return edit(2)

    dropped: list[ref[Garbage]] = []
    gc.disable()
    try:
        world.run(drop, lambda: Trigger.STOP if dropped[0]() is None else edit(3))
    finally:
        gc.enable()
    assert world.level() == 2, "gone before the next trigger"
